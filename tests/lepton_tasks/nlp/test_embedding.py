"""The embedding task without any model: options, languages, shortened vectors."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.embedding import Embedding, EmbeddingOptions, EmbeddingOutput, folded

TASK = Embedding()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ｈｏｗ do I get\u200b a card?", ModelInput("How do I get a card?", "en")),
        ("怎樣換卡？", ModelInput("怎樣換卡?", "zh")),
        ("我的 iPhone 📱 坏了", ModelInput("我的 iPhone 📱 坏了", "zh")),
        ("Где моя карта?", ModelInput("Где моя карта?", "und")),
        ("🎉🎉", ModelInput("🎉🎉", "und")),
    ],
)
def test_a_text_is_cleaned_and_its_language_settled(text: str, found: ModelInput) -> None:
    assert TASK.encode(text, EmbeddingOptions()) == found


def test_the_language_option_wins() -> None:
    assert TASK.encode("Hello", EmbeddingOptions(language="zh")).language == "zh"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"language": "fr"}, "should be 'en' or 'zh'"),
        ({"dimensions": 100}, "64, 128 or 256"),
        ({"dimension": 64}, "Extra inputs"),
    ],
)
def test_wrong_options_say_what_is_wrong(options: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        EmbeddingOptions.model_validate(options)


def decode(vector: list[float], **options: object) -> EmbeddingOutput:
    raw = {"vector": vector, "space": "ngrams@1", "truncated": False}
    return TASK.decode(raw, ModelInput("茶", "zh"), EmbeddingOptions.model_validate(options))


def test_the_space_tells_vectors_apart_that_cannot_be_compared() -> None:
    whole = decode([0.1] * 100)
    assert (whole.space, whole.language, whole.truncated) == ("ngrams@1/100", "zh", False)
    assert decode([0.1] * 100, dimensions=64).space == "ngrams@1/64"
    assert decode([0.1] * 100, dimensions=128) == whole


@given(
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=300), st.sampled_from([64, 128, 256])
)
def test_a_shortened_vector_has_norm_one_and_survives_json(
    values: list[float], dimensions: int
) -> None:
    short = folded(values, dimensions)
    assert len(short) == min(len(values), dimensions)
    if len(values) > dimensions:
        assert math.isclose(math.hypot(*short), 1.0, abs_tol=1e-5)
    output = decode(values, dimensions=dimensions)
    assert EmbeddingOutput.model_validate_json(output.model_dump_json()) == output


def test_what_cancels_out_is_a_unit_vector_still() -> None:
    assert folded([0.5] * 64 + [-0.5] * 64, 64) == [1.0] + [0.0] * 63
