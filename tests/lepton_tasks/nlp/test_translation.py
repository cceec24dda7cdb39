"""The translation task without any model: pairs, languages, what the answer says."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.nlp.translation import Translation, TranslationInput, TranslationOptions
from lepton_tasks.requests import Admission, JobRequest

TASK = Translation()


def options(**given: Any) -> TranslationOptions:
    return TranslationOptions.model_validate(given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "target\n  Field required"),
        ({"target": "zh", "source": "zh"}, "zh-zh is not translated; the pairs are en-zh, zh-en"),
        ({"target": "fr"}, "into 'fr' is not translated; the pairs are en-zh, zh-en"),
        ({"target": "en", "source": "fr"}, "fr-en is not translated"),
        ({"target": "english"}, "should match pattern"),
        ({"target": "zh", "source": "en", "language": "zh"}, "mean the same; leave one out"),
        ({"target": "zh", "beams": 4}, "Extra inputs"),
    ],
)
def test_wrong_options_say_what_is_wrong(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        options(**given)


def test_admission_lists_the_pairs() -> None:
    admission = Admission(find_tasks(), 16)
    with pytest.raises(InvalidInput, match="the pairs are en-zh, zh-en"):
        admission.admit("t", JobRequest(TASK.name, input="Bonjour", options={"target": "fr"}))
    with pytest.raises(InvalidInput) as missing:
        admission.admit("t", JobRequest(TASK.name, input="Good morning"))
    assert missing.value.param == "options.target"


def test_a_model_that_is_named_has_pairs_of_its_own() -> None:
    chosen = options(target="fr", source="de", model="opus-mt-de-fr")
    assert TASK.encode("Guten Tag", chosen) == TranslationInput("Guten Tag", "de", "fr")


def test_the_source_is_found_out_or_given_under_either_name() -> None:
    assert TASK.encode("今天天氣很好。", options(target="en")).language == "zh"
    assert TASK.encode("A fine day.", options(target="zh")).language == "en"
    for given in ({"source": "zh"}, {"language": "zh"}, {"source": "zh", "language": "zh"}):
        assert TASK.encode("12:30 OK", options(target="en", **given)).language == "zh"


@pytest.mark.parametrize(
    ("text", "target", "found"),
    [("今天", "zh", "zh"), ("Fine", "en", "en"), ("Привет", "en", "und")],
)
def test_a_text_that_needs_no_translation_or_has_none_is_refused(
    text: str, target: str, found: str
) -> None:
    with pytest.raises(InvalidInput, match=f"found to be in '{found}'.*en-zh, zh-en") as refused:
        TASK.encode(text, options(target=target))
    assert (refused.value.code, refused.value.param) == ("unsupported_pair", "source")
    assert text not in str(refused.value)


def test_lines_stay_and_widths_are_plain() -> None:
    text = "Ｈｅｌｌｏ\u200b  world 😀\r\n\r\n好的，谢谢！"
    encoded = TASK.encode(text, options(target="zh", source="en"))
    assert encoded.text == "Hello world 😀\n\n好的，谢谢！"


def test_the_answer_says_between_which_languages() -> None:
    raw = {
        "text": "你好。",
        "finish_reason": "stop",
        "truncated": False,
        "sentences": 1,
        "unknown_tokens": 0,
        "prompt_tokens": 3,
        "completion_tokens": 4,
    }
    output = TASK.decode(raw, TranslationInput("Hello.", "en", "zh"), options(target="zh"))
    assert (output.text, output.source, output.target) == ("你好。", "en", "zh")
    assert output.model_dump(exclude={"source", "target"}) == raw
