"""The preprocessing task without its engine: options, cleaning, decode."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lepton_tasks.nlp.preprocessing import (
    Preprocessing,
    PreprocessingInput,
    PreprocessingOptions,
    PreprocessingOutput,
)

TASK = Preprocessing()


def encode(text: str, **options: Any) -> PreprocessingInput:
    return TASK.encode(text, PreprocessingOptions.model_validate(options))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "Pay ABC1，好！ 👍 now"),
        ({"html": "keep"}, "<b>Pay</b> ABC1，好！ 👍 now"),
        ({"emoji": "remove"}, "Pay ABC1，好！ now"),
        ({"emoji": "name"}, "Pay ABC1，好！ :thumbs_up_sign: now"),
        ({"full_width": "keep"}, "Pay ＡＢＣ１，好！ 👍 now"),
        ({"full_width": "all"}, "Pay ABC1,好! 👍 now"),
        ({"zero_width": "keep"}, "Pay ABC1，好！ 👍 n\u200bow"),
        ({"homoglyphs": "keep"}, "Pаy ABC1，好！ 👍 now"),
        ({"case": "lower"}, "Pay ABC1，好！ 👍 now"),
    ],
)
def test_cleaning_by_options(options: dict[str, str], expected: str) -> None:
    text = "<b>Pаy</b>  ＡＢＣ１，好！ 👍 n\u200bow "
    if options.get("html") == "keep":
        text = text.replace("а", "a")
    assert encode(text, **options).text == expected


def test_what_the_engine_is_told() -> None:
    given_parts = encode("繁體中文", script="simplified", parts=["tags", "sentences"])
    assert given_parts == PreprocessingInput("繁體中文", "zh", True, ("sentences", "tags"))
    assert encode("one 二", language="zh").language == "zh"
    assert encode("Привет").language == "und"
    assert encode("<br>") == PreprocessingInput("", "und", False, ("sentences", "tokens", "tags"))


def test_decode_names_the_words_and_lowers_last() -> None:
    options = PreprocessingOptions(case="lower")
    raw = {
        "text": "Go HOME",
        "sentences": [(0, 7)],
        "tokens": [(0, 2), (3, 7)],
        "tags": ["VERB", "NOUN"],
    }
    output = TASK.decode(raw, encode("Go HOME", case="lower"), options)
    assert output.text == "go home"
    assert [(one.text, one.upos) for one in output.tokens or []] == [
        ("go", "VERB"),
        ("home", "NOUN"),
    ]
    assert [(one.start, one.end) for one in output.sentences or []] == [(0, 7)]


def test_parts_that_were_not_asked_for_are_none() -> None:
    raw = {"text": "Go", "sentences": None, "tokens": None, "tags": None}
    output = TASK.decode(raw, encode("Go"), PreprocessingOptions())
    assert (output.sentences, output.tokens) == (None, None)


def test_words_without_a_tagger_have_no_tags() -> None:
    raw = {"text": "Да", "sentences": [(0, 2)], "tokens": [(0, 2)], "tags": None}
    output = TASK.decode(raw, encode("Да"), PreprocessingOptions())
    assert output.tokens is not None and output.tokens[0].upos is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"language": "ru"}, "should be 'en' or 'zh'"),
        ({"emoji": "drop"}, "'keep', 'remove' or 'name'"),
        ({"parts": ["lemmas"]}, "'sentences', 'tokens' or 'tags'"),
        ({"lower": True}, "Extra inputs"),
    ],
)
def test_wrong_options_say_what_is_wrong(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        PreprocessingOptions.model_validate(options)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_can_be_cleaned(text: str) -> None:
    cleaned = encode(text, emoji="name", full_width="all").text
    assert cleaned == cleaned.strip() and "  " not in cleaned


def test_schemas_are_json() -> None:
    for schema in (
        PreprocessingOptions.model_json_schema(),
        PreprocessingOutput.model_json_schema(),
    ):
        assert json.loads(json.dumps(schema)) == schema
