"""The summarisation task without any model: options, which sentences, where they stand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.summarisation import (
    AbstractInput,
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
    assert isinstance(encoded, SentencesInput)
    given = scores or [1.0 / (2 + place) for place in range(len(encoded.spans))]
    return TASK.decode({"scores": given}, encoded, chosen)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kind": "poem"}, "Input should be 'extractive' or 'abstractive'"),
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


WRITTEN = "A library reopens. It was flooded. Repairs cost two million."


def written(text: str = TEXT, raw_text: str = WRITTEN, **options: Any) -> SummarisationOutput:
    chosen = SummarisationOptions.model_validate({"kind": "abstractive", **options})
    raw = {"text": raw_text, "finish_reason": "length", "truncated": True}
    return TASK.decode(raw, TASK.encode(text, chosen), chosen)


def test_abstractive_summaries_are_what_the_model_writes() -> None:
    output = written()
    assert (output.summary, output.kind, output.sentences) == (WRITTEN, "abstractive", [])
    assert (output.sentences_in_text, output.language) == (4, "en")
    assert (output.truncated, output.finish_reason) == (True, "length")
    assert written(raw_text="").summary == ""


def test_abstractive_lengths_mean_what_extractive_ones_do() -> None:
    assert written(sentences=2).summary == "A library reopens. It was flooded."
    assert written(sentences=2).finish_reason == "stop"
    assert written(ratio=0.25).summary == "A library reopens."
    assert written(max_characters=30).summary == "A library reopens."
    assert written(max_characters=5).summary == ""
    assert written(sentences=9, max_characters=500).summary == WRITTEN


def test_lengths_bound_what_is_generated() -> None:
    def spec(**options: Any) -> int:
        chosen = SummarisationOptions.model_validate({"kind": "abstractive", **options})
        encoded = TASK.encode(TEXT, chosen)
        assert isinstance(encoded, AbstractInput)
        assert encoded.spec.beams == 0, "as the catalogue's entry has it"
        return encoded.spec.max_new_tokens

    assert spec() == 0
    assert spec(sentences=1) < spec(sentences=2) < spec(sentences=9)
    assert spec(sentences=9, max_characters=60) < spec(sentences=9)
    assert spec(max_characters=60) * 3 >= 60


def test_abstractive_models_by_language() -> None:
    def model(**options: Any) -> str | None:
        return TASK.model_of(SummarisationOptions.model_validate(options))

    assert (model(), model(kind="extractive", language="zh")) == (None, None)
    assert model(kind="abstractive") == model(kind="abstractive", language="en") == "bart-large-cnn"
    assert model(kind="abstractive", language="zh") == "mt5-xlsum"
    assert model(kind="abstractive", model="ours") == "ours"
    with pytest.raises(InvalidInput, match="language 'zh', which chooses the model 'mt5-xlsum'"):
        written(CHINESE)
    assert written(CHINESE, "图书馆重新开放。", language="zh").summary == "图书馆重新开放。"
    assert written(CHINESE, "图书馆重新开放。", model="ours").language == "zh"


def test_a_model_of_the_other_kind_is_named() -> None:
    chosen = SummarisationOptions(kind="abstractive", model="summarisation")
    with pytest.raises(InvalidInput, match="makes no abstractive summaries") as refused:
        TASK.decode({"scores": [1.0]}, TASK.encode(TEXT, chosen), chosen)
    assert refused.value.code == "unsupported_kind"
    chosen = SummarisationOptions(model="bart-large-cnn")
    with pytest.raises(InvalidInput, match="makes no extractive summaries"):
        TASK.decode({"text": "x"}, TASK.encode(TEXT, chosen), chosen)


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
