"""The sentiment task without any model: options, encode, decode."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.scores import LabelScores
from lepton_tasks.nlp.sentiment import Sentiment, SentimentOptions, SentimentOutput

TASK = Sentiment()


def decode(negative: float, neutral: float, positive: float, **options: float) -> SentimentOutput:
    raw = {"negative": negative, "neutral": neutral, "positive": positive}
    chosen = SentimentOptions.model_validate(options)
    return TASK.decode(raw, ModelInput("text", "en"), chosen)


def test_the_highest_score_decides() -> None:
    assert decode(0.2, 0.3, 0.5).label == "positive"
    assert decode(0.6, 0.3, 0.1).label == "negative"
    assert decode(0.3, 0.4, 0.3).label == "neutral"
    assert decode(0.4, 0.2, 0.4).label == "negative"


def test_a_weak_opinion_may_count_as_neutral() -> None:
    assert decode(0.1, 0.3, 0.6, neutral_below=0.7).label == "neutral"
    assert decode(0.1, 0.2, 0.7, neutral_below=0.7).label == "positive"


def test_the_answer_says_what_its_scores_are_worth() -> None:
    scores = [("negative", 0.2), ("neutral", 0.3), ("positive", 0.5)]
    raw = LabelScores(scores, truncated=True, foreign=True)
    output = TASK.decode(raw, ModelInput("Привет", "und"), SentimentOptions())
    assert (output.language, output.language_supported, output.truncated) == ("und", False, True)
    assert SentimentOutput.model_validate_json(output.model_dump_json()) == output


@pytest.mark.parametrize(
    ("text", "cleaned", "language"),
    [
        ("ｇｒｅａｔ\u200b 👍", "great 👍", "en"),
        ("太好吃了!！", "太好吃了!!", "zh"),
        ("這家店真的很好", "這家店真的很好", "zh"),
        ("这个 app 不错", "这个 app 不错", "zh"),
        ("👍👍", "👍👍", "und"),
    ],
)
def test_encode_cleans_and_settles_the_language(text: str, cleaned: str, language: str) -> None:
    assert TASK.encode(text, SentimentOptions()) == ModelInput(cleaned, language)
    assert TASK.encode(text, SentimentOptions(language="en")).language == "en"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"language": "fr"}, "should be 'en' or 'zh'"),
        ({"neutral_below": 1.2}, "less than or equal to 1"),
        ({"labels": "topics"}, "Extra inputs"),
    ],
)
def test_wrong_options_say_what_is_wrong(options: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SentimentOptions.model_validate(options)


def test_schemas_are_json() -> None:
    for schema in (SentimentOptions.model_json_schema(), SentimentOutput.model_json_schema()):
        assert json.loads(json.dumps(schema)) == schema
