"""Sentiment: whether a text in English or Chinese is positive, neutral or negative."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions
from lepton_tasks.nlp.clean import clean_text
from lepton_tasks.nlp.language import Language, detect_language

Label = Literal["negative", "neutral", "positive"]

LABELS: tuple[Label, ...] = ("negative", "neutral", "positive")


class SentimentOptions(TaskOptions):
    """How to judge a text.

    ``neutral_below`` makes an answer neutral unless positive or negative scores at least
    that; 0 leaves it to the highest score.
    """

    language: Language | None = None
    neutral_below: float = Field(default=0.0, ge=0.0, le=1.0)


class SentimentOutput(BaseModel):
    """What was found.

    ``scores`` add up to 1. ``language`` is ``en``, ``zh``, or ``und`` for a text in neither,
    whose scores are only a hint: then ``language_supported`` is false. ``truncated`` says
    that the text fills all that the encoder reads, which may be its beginning alone.
    """

    model_config = ConfigDict(extra="forbid")

    label: Label
    scores: dict[Label, float]
    language: str
    language_supported: bool
    truncated: bool


class Sentiment(Task[SentimentOptions, SentimentOutput]):
    """Judge one text. The engine's raw scores are keyed by the three labels."""

    name = "sentiment"
    summary = "Say whether a text in English or Chinese is positive, neutral or negative."
    engine = "text-classifier"
    options_model = SentimentOptions
    output_model = SentimentOutput
    labels: ClassVar[tuple[str, ...]] = LABELS
    """Every key that an engine's raw scores may have."""
    examples = (
        Example("Delicious food and friendly service, we will come again."),
        Example("Two hours late, cold food, and nobody apologised."),
        Example("The meeting has been moved to Tuesday at nine."),
        Example("味道很好，送餐也很快，下次还会再点。"),
        Example("包装破了，客服也不理人，太失望了。", {"neutral_below": 0.6}),
        Example("會議改到星期二上午九點。", {"language": "zh"}),
    )

    def encode(self, item: str, options: SentimentOptions) -> ModelInput:
        """Clean the text and settle its language: the option, else the script."""
        text = clean_text(item)
        return ModelInput(text, options.language or detect_language(text))

    def decode(
        self, raw: Mapping[str, float], model_input: ModelInput, options: SentimentOptions
    ) -> SentimentOutput:
        """Take the label that scores highest, the first of equal ones."""
        scores = {label: float(raw[label]) for label in LABELS}
        best = max(LABELS, key=lambda label: scores[label])
        if scores[best] < options.neutral_below:
            best = "neutral"
        return SentimentOutput(
            label=best,
            scores=scores,
            language=model_input.language,
            language_supported=not getattr(raw, "foreign", False),
            truncated=bool(getattr(raw, "truncated", False)),
        )
