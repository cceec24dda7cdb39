"""Explanation: which words of a text made a classifier score a label as it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypedDict

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions
from lepton_tasks.nlp.classification import Classification
from lepton_tasks.nlp.clean import clean_text
from lepton_tasks.nlp.language import Language, detect_language
from lepton_tasks.nlp.moderation import Moderation
from lepton_tasks.nlp.offsets import Mapped, clean_mapped
from lepton_tasks.nlp.sentiment import Sentiment

Method = Literal["auto", "exact", "integrated-gradients"]
UsedMethod = Literal["exact", "integrated-gradients", "exact+integrated-gradients"]

LABELS: Final[Mapping[str, Sequence[str]]] = {
    Moderation.name: Moderation.labels,
    Sentiment.name: Sentiment.labels,
    Classification.name: (),
}
"""Labels of each task that is explained without naming a `model`; none where those vary."""
MODELS: Final[Mapping[str, str | None]] = {
    Moderation.name: None,
    Sentiment.name: "sentiment-explained",
    Classification.name: "topics-explained",
}
"""Catalogue name of the model that explains each of them; None for the default."""
LONGEST_LABEL: Final = 100
MOST_SPANS: Final = 500
_COST: Final = 16
"""An explanation takes about as long as that many answers of the classifier."""


class ExplanationOptions(TaskOptions):
    """What is explained, and how.

    ``task`` is the classifier's. ``label`` is the one whose score is explained, the highest
    where it is left out. ``top`` is the number of spans that are returned, those that add or
    take away most. ``method`` ``exact`` shares out the weights of a model's n-grams alone,
    ``integrated-gradients`` what its encoder makes of the words alone, and ``auto`` both; where
    no encoder reads the language, all are ``exact``. ``model`` is a catalogue entry that
    explains ``task``.
    """

    language: Language | None = None
    task: str = Moderation.name
    label: str | None = Field(default=None, min_length=1, max_length=LONGEST_LABEL)
    top: int = Field(default=10, ge=1, le=MOST_SPANS)
    method: Method = "auto"

    @model_validator(mode="after")
    def _task_is_explained(self) -> Self:
        if self.model is not None:
            return self
        if self.task not in LABELS:
            raise ValueError(
                f"the task {self.task!r} cannot be explained; use one of {', '.join(LABELS)}, or "
                "name a `model` that explains it"
            )
        known = LABELS[self.task]
        if known and self.label is not None and self.label not in known:
            raise ValueError(f"{self.task} has no label {self.label!r}; it has {', '.join(known)}")
        return self


@dataclass(frozen=True, slots=True)
class ExplainedInput(ModelInput):
    """A cleaned text, as it was written, and what is asked of it."""

    original: str = ""
    task: str = ""
    label: str | None = None
    method: Method = "auto"


class Explained(TypedDict):
    """What an engine finds.

    ``values`` are spans of the cleaned text and what each adds to the logit: all words, in
    order. They are missing, and numbers 0, where the model does not have the label.
    ``classifier`` is a catalogue name.
    """

    classifier: str
    classifier_revision: str
    label: str
    label_supported: bool
    score: float
    language_supported: bool
    truncated: bool
    method: UsedMethod
    logit: float
    base_value: float
    values: list[tuple[int, int, float]]


class Contribution(BaseModel):
    """What ``text``, the characters ``[start, end)`` of the input, adds to the logit.

    Places count Unicode code points.
    """

    model_config = ConfigDict(extra="forbid")

    start: int
    end: int
    text: str
    value: float


class ExplanationOutput(BaseModel):
    """Why the text got ``score`` for ``label``.

    ``contributions`` are the largest, whether they raise or lower the score, in the order of
    their size. ``logit`` is the score before it was squeezed between 0 and 1; where a text has
    exactly one label, it is the label's lead over the mean of the others. ``logit`` is
    ``base_value``, which a text of blanks would get, plus all contributions, plus ``rest``,
    that of the spans left out, plus ``residual``: what no span accounts for, such as the error
    of integration or the part that the chosen method leaves aside. ``classifier`` is the
    catalogue name of the model that was explained.
    ``label_supported`` is false where that has no such label for the language: then there is
    nothing to explain. ``truncated`` says that its encoder read the beginning alone.
    """

    model_config = ConfigDict(extra="forbid")

    task: str
    classifier: str
    classifier_revision: str
    label: str
    label_supported: bool
    score: float
    logit: float
    base_value: float
    contributions: list[Contribution]
    rest: float
    residual: float
    method: UsedMethod
    language: str
    language_supported: bool
    truncated: bool


class Explanation(Task[ExplanationOptions, ExplanationOutput]):
    """Explain a classifier's score of one text. The engine's raw results are Explained."""

    name = "explanation"
    summary = "Show which words of a text made a classifier score a label as it did."
    engine = "explainer"
    options_model = ExplanationOptions
    output_model = ExplanationOutput
    max_characters = 5_000
    examples = (
        Example("You are a worthless idiot and nobody wants you here."),
        Example("这种地方出来的人都没素质，滚回去吧。", {"top": 5}),
        Example("這種人就是垃圾，別理他。", {"label": "toxicity"}),
        Example("Nice try, you fool.", {"label": "profanity", "method": "exact", "language": "en"}),
        Example("The soup was cold, but the staff were kind.", {"task": "sentiment"}),
        Example("菜又咸又凉，再也不来了。", {"task": "sentiment", "label": "negative"}),
        Example("The striker scored twice in the final.", {"task": "classification"}),
        Example(
            "My card has not arrived yet.", {"task": "classification", "model": "intents-explained"}
        ),
    )

    def cost(self, item: str) -> int:
        """Tokens, as many times as a classifier would be run."""
        return _COST * super().cost(item)

    def model_of(self, options: ExplanationOptions) -> str | None:
        """The model that is named, else the one that explains the task."""
        return options.model or MODELS[options.task]

    def encode(self, item: str, options: ExplanationOptions) -> ExplainedInput:
        """Clean the text as classifiers do; its language is the option, else the script's."""
        text = clean_text(item)
        language = options.language or detect_language(text)
        return ExplainedInput(text, language, item, options.task, options.label, options.method)

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: ExplanationOptions
    ) -> ExplanationOutput:
        """Find spans in the text as it was written, and keep the largest."""
        if not isinstance(model_input, ExplainedInput):
            raise TypeError("explanations are decoded with the input that encode made")
        spans = _in_original(raw["values"], clean_mapped(model_input.original))
        total = sum(value for _, _, value in spans)
        spans.sort(key=lambda span: -abs(span[2]))
        kept = spans[: options.top]
        return ExplanationOutput(
            task=options.task,
            classifier=raw["classifier"],
            classifier_revision=raw["classifier_revision"],
            label=raw["label"],
            label_supported=raw["label_supported"],
            score=raw["score"],
            logit=raw["logit"],
            base_value=raw["base_value"],
            contributions=[
                Contribution(
                    start=start, end=end, text=model_input.original[start:end], value=value
                )
                for start, end, value in kept
            ],
            rest=total - sum(value for _, _, value in kept),
            residual=raw["logit"] - raw["base_value"] - total,
            method=raw["method"],
            language=model_input.language,
            language_supported=raw["language_supported"],
            truncated=raw["truncated"],
        )


def _in_original(
    values: Sequence[tuple[int, int, float]], cleaned: Mapped
) -> list[tuple[int, int, float]]:
    """Values by spans of the original; those that one character was cleaned into are one."""
    found: list[tuple[int, int, float]] = []
    for first, after, value in values:
        start, end = cleaned.span(first, after)
        if found and start < found[-1][1]:
            before = found.pop()
            start, end, value = before[0], max(end, before[1]), value + before[2]
        found.append((start, end, value))
    return found
