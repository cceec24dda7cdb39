"""Labels that nobody trained for: an inference model says which of them a text entails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from transformers import AutoModelForSequenceClassification

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.scores import LabelScores
from workers.catalogue.entries import CatalogueEntry
from workers.catalogue.options import read_options
from workers.engines.base import Encoded
from workers.engines.checkpoint import Checkpoint, Row
from workers.errors import CatalogueError

_FALLBACK: Final = "en"
_TEMPLATES: Final[Mapping[str, str]] = {
    "en": "This text is about {}.",
    "zh": "这段文字是关于{}的。",
}


def _check_template(value: str) -> str:
    if "{}" not in value:
        raise ValueError("a template needs {} where the label stands")
    return value


Template = Annotated[str, AfterValidator(_check_template)]


class ZeroShotOptions(BaseModel):
    """The ``options`` of a catalogue entry.

    ``labels`` are those of an input that brings none. ``templates`` make a sentence of a
    label, by language; one for ``en`` is always there. ``entailment`` is the checkpoint's
    label of a sentence that follows from the text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: tuple[str, ...] = Field(min_length=2)
    templates: dict[str, Template] = Field(default_factory=dict)
    entailment: str = "entailment"


@dataclass(frozen=True, slots=True)
class _Question:
    """A row of the network for each label."""

    labels: Sequence[str]
    rows: Sequence[Row]


class ZeroShotClassifier:
    """An engine whose raw result is a score for each label of the input; they sum to one.

    The score is the softmax, over the labels, of the logits of "the text entails the
    label's sentence" (Yin et al. 2019). An input's labels are its ``labels``, where it has
    any.
    """

    def __init__(
        self, name: str, checkpoint: Checkpoint, options: ZeroShotOptions, entailment: int
    ) -> None:
        """``entailment`` is the place of that logit."""
        self.name = name
        self.revision = checkpoint.revision
        self._network = checkpoint.network
        self._checkpoint = checkpoint
        self._labels = options.labels
        self._templates = {**_TEMPLATES, **options.templates}
        self._entailment = entailment

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Pair each text with the sentences of its labels; an item is as long as all of them."""
        return [self._question(one) for one in inputs]

    def forward(self, batch: Sequence[Encoded]) -> list[LabelScores]:
        """Score ``batch``; one result an item, in order, that tells whether the text was cut."""
        questions: list[_Question] = [one.tokens for one in batch]
        rows = [row for question in questions for row in question.rows]
        passes = self._checkpoint.passes(rows)
        logits = torch.cat([output.logits[:, self._entailment].float() for output, _ in passes])
        found = []
        sizes = [len(question.rows) for question in questions]
        for question, own in zip(questions, torch.split(logits.cpu(), sizes), strict=True):
            scores = zip(question.labels, own.softmax(0).tolist(), strict=True)
            truncated = any(row.truncated for row in question.rows)
            found.append(LabelScores(scores, truncated=truncated, untrained=True))
        return found

    def _question(self, one: ModelInput) -> Encoded:
        labels = tuple(getattr(one, "labels", ())) or self._labels
        template = self._templates.get(one.language, self._templates[_FALLBACK])
        rows = self._checkpoint.rows([(one.text, template.replace("{}", own)) for own in labels])
        return Encoded(len(rows) * max(len(row.ids) for row in rows), _Question(labels, rows))


def build_zero_shot(entry: CatalogueEntry, device: torch.device) -> ZeroShotClassifier:
    """Make an engine of a catalogue entry: a local folder of an inference model.

    Raises:
        CatalogueError: the entry's options are wrong, or the checkpoint has no such label.
        ModelRefused: the folder is incomplete, inconsistent or unsafe.
    """
    options = read_options(entry, ZeroShotOptions)
    checkpoint = Checkpoint(AutoModelForSequenceClassification, entry, device)
    own = {str(label).lower(): int(place) for place, label in checkpoint.config.id2label.items()}
    if options.entailment.lower() not in own:
        raise CatalogueError(
            f"[{entry.name}] options.entailment is {options.entailment!r}, but the checkpoint's "
            f"labels are {', '.join(own)}"
        )
    return ZeroShotClassifier(entry.name, checkpoint, options, own[options.entailment.lower()])
