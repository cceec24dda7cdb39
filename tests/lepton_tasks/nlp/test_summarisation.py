"""The summarisation task without any model: options, which sentences, where they stand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.summarisation import (
    SentencesInput,
    Summarisation,
    SummarisationOptions,
    SummarisationOutput,
)

TASK = Summarisation()
TEXT = "The library opened. It was closed after the flood. Work begins in May. All are glad."
CHINESE = "公园開放了。后来被洪水淹没。５月开始修缮😀！大家都很高兴。"


def summarise(text: str, scores: list[float] | None = None, **options: Any) -> SummarisationOutput:
    """Summarise with the ``scores`` of its sentences, falling ones if left out."""
    chosen = SummarisationOptions.model_validate(options)
    encoded = TASK.encode(text, chosen)
    given = scores or [1.0 / (2 + place) for place in range(len(encoded.spans))]
    return TASK.decode({"scores": given}, encoded, chosen)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kind": "abstractive"}, "abstractive summaries, in new words, are not served yet; use"),
        ({"kind": "poem"}, "Input should be 'extractive'"),
        ({"sentences": 0}, "greater than or equal to 1"),
        ({"ratio": 0}, "greater than 0"),
        ({"ratio": 1.5}, "less than or equal to 1"),
        ({"max_characters": 0}, "greater than or equal to 1"),
        ({"sentences": 2, "ratio": 0.5}, "exclude each other"),
        ({"language": "fr"}, "should be 'en' or 'zh'"),
        ({"length": 3}, "Extra inputs"),
    ],
)
def test_wrong_options_say_what_is_wrong(options: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SummarisationOptions.model_validate(options)


def test_the_best_sentences_in_the_order_of_the_text() -> None:
    output = summarise(TEXT, [0.1, 0.2, 0.3, 0.4], sentences=2)
    assert output.summary == "Work begins in May. All are glad."
    assert [one.score for one in output.sentences] == [0.3, 0.4]
    assert (output.kind, output.language, output.sentences_in_text) == ("extractive", "en", 4)


def test_three_sentences_unless_told() -> None:
    assert len(summarise(TEXT).sentences) == 3
    assert summarise("One only").summary == "One only"


def test_ratio_is_of_the_sentences_and_takes_at_least_one() -> None:
    assert len(summarise(TEXT, ratio=0.5).sentences) == 2
    assert len(summarise(TEXT, ratio=0.01).sentences) == 1
    assert len(summarise(TEXT, ratio=1.0).sentences) == 4


def test_what_does_not_fit_is_left_out() -> None:
    scores = [0.3, 0.5, 0.2, 0.1]
    assert summarise(TEXT, scores, max_characters=19).summary == "The library opened."
    both = "The library opened. It was closed after the flood."
    assert summarise(TEXT, scores, max_characters=len(both)).summary == both
    assert summarise(TEXT, scores, max_characters=len(both) - 1).summary == (
        both[20:] + " All are glad."
    )
    assert summarise(TEXT, scores, max_characters=5).sentences == []
    assert summarise(TEXT, scores, max_characters=5).summary == ""


def test_chinese_traditional_full_width_and_emoji() -> None:
    output = summarise(CHINESE, [0.1, 0.2, 0.3, 0.4], sentences=2)
    assert output.summary == "５月开始修缮😀！大家都很高兴。"
    assert (output.language, output.sentences_in_text) == ("zh", 4)


def test_a_repeated_sentence_is_taken_once() -> None:
    output = summarise("Call us. It is free. CALL US. Good bye.", [0.4, 0.1, 0.3, 0.2], sentences=3)
    assert output.summary == "Call us. It is free. Good bye."


@given(
    st.text(st.one_of(st.sampled_from("aB。！. ?\n，"), st.characters(codec="utf-8")), max_size=80),
    st.integers(1, 5),
    st.integers(1, 60),
)
def test_sentences_are_the_texts_own_and_within_the_limits(
    text: str, sentences: int, limit: int
) -> None:
    output = summarise(text, sentences=sentences, max_characters=limit)
    assert len(output.summary) <= limit and len(output.sentences) <= sentences
    assert [one.text for one in output.sentences] == [
        text[one.start : one.end] for one in output.sentences
    ]
    starts = [one.start for one in output.sentences]
    assert starts == sorted(set(starts))
    assert SummarisationOutput.model_validate_json(output.model_dump_json()) == output


def test_the_text_stays_as_it_was_sent() -> None:
    encoded = TASK.encode("  ｆｕｌｌ\u200b  width. Two.", SummarisationOptions())
    assert encoded == SentencesInput("  ｆｕｌｌ\u200b  width. Two.", "en", ((2, 15), (16, 20)))
    assert TASK.encode("123", SummarisationOptions()).language == "und"
    assert TASK.encode("123", SummarisationOptions(language="zh")).language == "zh"


def test_another_tasks_input_is_refused() -> None:
    with pytest.raises(TypeError, match="SentencesInput"):
        TASK.decode({"scores": []}, ModelInput("text", "en"), SummarisationOptions())


def test_schemas_are_json() -> None:
    for schema in (
        TASK.input_schema(),
        SummarisationOptions.model_json_schema(),
        SummarisationOutput.model_json_schema(),
    ):
        assert json.loads(json.dumps(schema)) == schema
