"""The moderation task without any model: options, encode, decode."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.moderation import (
    CATEGORIES,
    OPENAI_CATEGORIES,
    Moderation,
    ModerationOptions,
    ModerationOutput,
)

TASK = Moderation()
TEXT = ModelInput("some text", "en")


def decode(raw: dict[str, float], **options: object) -> ModerationOutput:
    return TASK.decode(raw, TEXT, ModerationOptions.model_validate(options))


def test_every_category_is_there_and_untrained_ones_are_named() -> None:
    output = decode({"hate": 0.2})
    assert len(OPENAI_CATEGORIES) == 13
    assert set(output.categories) == set(output.category_scores) == set(CATEGORIES)
    assert set(output.unsupported_categories) == set(CATEGORIES) - {"hate"}
    assert output.category_scores["spam"] == 0.0 and output.categories["spam"] is False


@pytest.mark.parametrize(
    ("score", "action"), [(0.49, "allow"), (0.5, "review"), (0.89, "review"), (0.9, "block")]
)
def test_default_policy(score: float, action: str) -> None:
    output = decode({"toxicity": score, "hate": 0.1})
    assert (output.action, output.flagged) == (action, action != "allow")


def test_thresholds_are_per_category() -> None:
    raw = {"toxicity": 0.6, "hate": 0.6}
    assert decode(raw, thresholds={"toxicity": 0.7}).categories["toxicity"] is False
    assert decode(raw, thresholds={"toxicity": 0.7}).categories["hate"] is True
    assert decode({"toxicity": 0.3}, thresholds={"toxicity": 0.2}).flagged


def test_zero_threshold_never_flags_a_category_without_a_model() -> None:
    assert not decode({"toxicity": 0.1}, thresholds={"spam": 0.0}).flagged


def test_only_a_present_category_can_block() -> None:
    output = decode({"toxicity": 0.95, "hate": 0.6}, thresholds={"toxicity": 0.99})
    assert output.action == "review"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"thresholds": {"rudeness": 0.5}}, "unknown category 'rudeness'.*toxicity"),
        ({"thresholds": {"hate": 1.5}}, "less than or equal to 1"),
        ({"block_at": -0.1}, "greater than or equal to 0"),
        ({"language": "fr"}, "should be 'en' or 'zh'"),
        ({"treshold": 0.5}, "Extra inputs"),
    ],
)
def test_wrong_options_say_what_is_wrong(options: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ModerationOptions.model_validate(options)


def test_encode_cleans_and_settles_the_language() -> None:
    assert TASK.encode("你\u200b好  世界", ModerationOptions()) == ModelInput("你好 世界", "zh")
    assert TASK.encode("ｈｅｌｌｏ", ModerationOptions()) == ModelInput("hello", "en")
    assert TASK.encode("123", ModerationOptions()).language == "und"
    assert TASK.encode("123", ModerationOptions(language="zh")).language == "zh"


@given(st.dictionaries(st.sampled_from(CATEGORIES), st.floats(0, 1)))
def test_output_survives_json(raw: dict[str, float]) -> None:
    output = decode(raw)
    again = ModerationOutput.model_validate_json(output.model_dump_json())
    assert again == output
    assert output.flagged == any(output.categories.values())


def test_schemas_are_json() -> None:
    for schema in (
        TASK.input_schema(),
        ModerationOptions.model_json_schema(),
        ModerationOutput.model_json_schema(),
    ):
        assert json.loads(json.dumps(schema)) == schema
