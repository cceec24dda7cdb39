"""Classification: which label of a set fits a text, of a trained set or of the request's own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions
from lepton_tasks.nlp.clean import clean_text
from lepton_tasks.nlp.language import LANGUAGES, Language, detect_language

FEWEST_LABELS: Final = 2
MOST_LABELS: Final = 100
LONGEST_LABEL: Final = 100
"""Characters."""
ZERO_SHOT: Final = "zero-shot"
"""Catalogue name of the model that takes any labels."""

SETS: Final = {"topics": ("en", "zh"), "intents": ("en",)}
"""Languages of the label sets that ship."""

_SET_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ClassificationOptions(TaskOptions):
    """Against which labels a text is judged.

    ``labels`` is the name of a label set, which is that of the model trained for it
    (``topics``, ``intents``, or another of the catalogue), or a list of 2 to 100 labels of
    the request's own. Left out, it is the set of the default model. ``top`` is the number
    of scores that are returned, the highest; all of them where it is left out.
    """

    language: Language | None = None
    labels: str | list[str] | None = None
    top: int | None = Field(default=None, ge=1, le=MOST_LABELS)

    @field_validator("labels")
    @classmethod
    def _labels_can_be_told_apart(cls, value: str | list[str] | None) -> str | list[str] | None:
        if isinstance(value, str) and not _SET_NAME.fullmatch(value):
            raise ValueError(
                f"one text must be the name of a label set, such as {', '.join(SETS)}; "
                f"labels of your own are a list of {FEWEST_LABELS} to {MOST_LABELS}"
            )
        if not isinstance(value, list):
            return value
        if not FEWEST_LABELS <= len(value) <= MOST_LABELS:
            raise ValueError(
                f"{len(value)} labels were given; give {FEWEST_LABELS} to {MOST_LABELS}, "
                "or the name of a label set"
            )
        cleaned: dict[str, int] = {}
        for place, label in enumerate(value):
            if len(label) > LONGEST_LABEL:
                raise ValueError(f"label {place} is longer than {LONGEST_LABEL} characters")
            try:
                label.encode()
            except UnicodeEncodeError:
                raise ValueError(f"label {place} holds half of a surrogate pair") from None
            if "\0" in label:
                raise ValueError(f"label {place} holds a NUL")
            plain = clean_text(label)
            if not plain:
                raise ValueError(f"label {place} is empty")
            if plain in cleaned:
                raise ValueError(f"labels {cleaned[plain]} and {place} are the same")
            cleaned[plain] = place
        return value

    @model_validator(mode="after")
    def _one_model_fits(self) -> Self:
        own = isinstance(self.labels, list)
        if self.labels is not None and not own and self.model not in (None, self.labels):
            raise ValueError(
                f"labels {self.labels!r} and model {self.model!r} name two models; leave one out"
            )
        if own and self.model in SETS:
            raise ValueError(f"the model {self.model!r} has labels of its own; leave out `model`")
        chosen = self.model if self.labels is None or own else self.labels
        if chosen == ZERO_SHOT and not own:
            raise ValueError(f"{ZERO_SHOT} needs `labels`, a list of labels to choose from")
        known = SETS.get(str(chosen), LANGUAGES)
        if self.language is not None and self.language not in known:
            raise ValueError(
                f"{chosen!r} has no language {self.language!r}; it has {', '.join(known)}"
            )
        return self


@dataclass(frozen=True, slots=True)
class LabelledInput(ModelInput):
    """A text with the labels to choose from; none where the model has its own."""

    labels: tuple[str, ...] = ()


class LabelScore(BaseModel):
    """A label and its score."""

    model_config = ConfigDict(extra="forbid")

    label: str
    score: float


class ClassificationOutput(BaseModel):
    """What was found.

    ``scores`` are the highest first and add up to 1 over all labels. ``method`` is
    ``zero-shot`` where no model was trained for the labels, as where they came with the
    request: the scores say which label is closest, not how likely it is. ``language`` is ``en``,
    ``zh``, or ``und`` for a text in neither. Where the model does not know it,
    ``language_supported`` is false and the scores are only a hint. ``truncated`` says that
    the text fills all that the encoder reads, which may be its beginning alone.
    """

    model_config = ConfigDict(extra="forbid")

    label: str
    scores: list[LabelScore]
    method: Literal["trained", "zero-shot"]
    language: str
    language_supported: bool
    truncated: bool


class Classification(Task[ClassificationOptions, ClassificationOutput]):
    """Judge one text. The engine's raw scores are keyed by its labels, or those of the input."""

    name = "classification"
    summary = "Find the label that fits a text, of a trained set or of labels in the request."
    engine = "text-classifier"
    options_model = ClassificationOptions
    output_model = ClassificationOutput
    examples = (
        Example("The striker scored twice in the last ten minutes of the final."),
        Example("央行宣布下调存款准备金率，股市应声上涨。", {"top": 3}),
        Example("國家隊在決賽中以三比一取勝。"),
        Example("My card still has not arrived, when will it come?", {"labels": "intents"}),
        Example(
            "The screen went black after the update.",
            {"labels": ["delivery", "broken device", "billing"]},
        ),
        Example("这个月的电费怎么比上个月多了一倍？", {"labels": ["电费账单", "快递物流", "退货"]}),
    )

    def model_of(self, options: ClassificationOptions) -> str | None:
        """The model that is named, else the one that the labels need."""
        if options.model is not None or options.labels is None:
            return options.model
        return options.labels if isinstance(options.labels, str) else ZERO_SHOT

    def encode(self, item: str, options: ClassificationOptions) -> LabelledInput:
        """Clean text and labels, and settle the language: the option, else the script."""
        text = clean_text(item)
        labels = options.labels if isinstance(options.labels, list) else ()
        return LabelledInput(
            text,
            options.language or detect_language(text),
            tuple(clean_text(label) for label in labels),
        )

    def decode(
        self, raw: Mapping[str, float], model_input: ModelInput, options: ClassificationOptions
    ) -> ClassificationOutput:
        """Order the labels by score and give back the request's own spelling of them.

        Raises:
            ValueError: the model has labels of its own in place of the request's.
        """
        given = options.labels if isinstance(options.labels, list) else None
        spelled = _spellings(raw, given)
        untrained = given is not None or getattr(raw, "untrained", False)
        ordered = sorted(raw, key=lambda label: -raw[label])
        return ClassificationOutput(
            label=spelled[ordered[0]],
            scores=[
                LabelScore(label=spelled[label], score=float(raw[label]))
                for label in ordered[: options.top]
            ],
            method="zero-shot" if untrained else "trained",
            language=model_input.language,
            language_supported=not getattr(raw, "foreign", False),
            truncated=bool(getattr(raw, "truncated", False)),
        )


def _spellings(raw: Mapping[str, float], given: Sequence[str] | None) -> dict[str, str]:
    if given is None:
        return {label: label for label in raw}
    spelled = {clean_text(label): label for label in given}
    if spelled.keys() != raw.keys():
        raise ValueError("the model does not take labels of the request; leave out `model`")
    return spelled
