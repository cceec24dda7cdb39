"""Content moderation: category scores, a flag and an action for a text in English or Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions
from lepton_tasks.nlp.clean import clean_text
from lepton_tasks.nlp.language import Language, detect_language

OPENAI_CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
OTHER_CATEGORIES = ("toxicity", "insult", "profanity", "threat", "identity_attack", "spam")
CATEGORIES = OPENAI_CATEGORIES + OTHER_CATEGORIES
DEFAULT_THRESHOLD = 0.5

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class ModerationOptions(TaskOptions):
    """How to judge a text.

    ``thresholds`` sets for single categories the score from which they count as
    present. ``block_at`` is the score from which a present category leads to
    ``block`` rather than ``review``.
    """

    language: Language | None = None
    thresholds: dict[str, Share] = Field(default_factory=dict)
    block_at: Share = 0.9

    @field_validator("thresholds")
    @classmethod
    def _categories_exist(cls, value: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(value) - set(CATEGORIES)):
            raise ValueError(
                f"unknown category {unknown[0]!r}; the categories are {', '.join(CATEGORIES)}"
            )
        return value


class ModerationOutput(BaseModel):
    """What was found. Every category is always present.

    ``category_scores`` are between 0 and 1; each category's model is calibrated
    so that 0.5 is the threshold it was tuned for, and scores of different
    categories should not be compared. A category in ``unsupported_categories``
    has no trained model for this language: its score is 0 and says nothing.
    ``language`` is ``en``, ``zh``, or ``und`` for a text in neither, whose
    scores come from the English model and are only a hint.
    """

    model_config = ConfigDict(extra="forbid")

    flagged: bool
    action: Literal["allow", "review", "block"]
    language: str
    categories: dict[str, bool]
    category_scores: dict[str, float]
    unsupported_categories: list[str]


class Moderation(Task[ModerationOptions, ModerationOutput]):
    """Moderate one text. The engine's raw scores are keyed by the categories it supports."""

    name = "moderation"
    summary = "Score a text in English or Chinese for harmful content, and say what to do with it."
    engine = "text-classifier"
    options_model = ModerationOptions
    output_model = ModerationOutput
    labels: ClassVar[tuple[str, ...]] = CATEGORIES
    """Every key that an engine's raw scores may have."""
    examples = (
        Example("Thank you for the quick answer, that solved my problem."),
        Example("You are a worthless idiot and nobody wants you here."),
        Example("谢谢你的耐心解答，问题已经解决了。"),
        Example("这种地方出来的人都没素质，滚回去吧。", {"block_at": 0.8}),
        Example("Stop texting me, you fool.", {"thresholds": {"toxicity": 0.7}}),
    )

    def encode(self, item: str, options: ModerationOptions) -> ModelInput:
        """Clean the text and settle its language: the option, else the script."""
        text = clean_text(item)
        return ModelInput(text, options.language or detect_language(text))

    def decode(
        self, raw: Mapping[str, float], model_input: ModelInput, options: ModerationOptions
    ) -> ModerationOutput:
        """Apply thresholds and policy to scores in which 0.5 is every tuned threshold."""
        scores = {name: float(raw.get(name, 0.0)) for name in CATEGORIES}
        present = {
            name: name in raw and scores[name] >= options.thresholds.get(name, DEFAULT_THRESHOLD)
            for name in CATEGORIES
        }
        worst = max((scores[name] for name in CATEGORIES if present[name]), default=None)
        action: Literal["allow", "review", "block"] = "allow"
        if worst is not None:
            action = "block" if worst >= options.block_at else "review"
        return ModerationOutput(
            flagged=worst is not None,
            action=action,
            language=model_input.language,
            categories=present,
            category_scores=scores,
            unsupported_categories=[name for name in CATEGORIES if name not in raw],
        )
