"""Classifiers of the Hugging Face hub: any ``AutoModelForSequenceClassification`` folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from transformers import AutoModelForSequenceClassification

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.scores import LabelScores
from workers.catalogue.entries import CatalogueEntry
from workers.engines.base import Encoded
from workers.engines.checkpoint import Checkpoint, Row, read_options
from workers.errors import CatalogueError, ModelRefused

Activation = Literal["sigmoid", "softmax"]
_ACTIVATIONS: Mapping[str, Activation] = {
    "multi_label_classification": "sigmoid",
    "single_label_classification": "softmax",
}


class ClassificationOptions(BaseModel):
    """The ``options`` of a catalogue entry.

    ``labels`` gives the task's label for labels of the checkpoint's ``id2label``; without
    it they must be the same. ``scores`` is how logits become scores: by the config's
    ``problem_type`` when left out, and softmax where that is silent too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: dict[str, str] = Field(default_factory=dict)
    scores: Activation | None = None


class SequenceClassifier:
    """An engine whose raw result is a score for each label of the task that the model knows."""

    def __init__(
        self,
        name: str,
        checkpoint: Checkpoint,
        columns: Mapping[str, int],
        activation: Activation,
    ) -> None:
        """``columns`` says which of the logits is a label's."""
        self.name = name
        self.revision = checkpoint.revision
        self._network = checkpoint.network
        self._checkpoint = checkpoint
        self._columns = columns
        self._activation = activation

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Encode texts, in order, cut at the entry's ``max_tokens``."""
        rows = self._checkpoint.rows([one.text for one in inputs])
        return [Encoded(len(row.ids), row) for row in rows]

    def forward(self, batch: Sequence[Encoded]) -> list[LabelScores]:
        """Score ``batch``; one result an item, in order, that tells whether the text was cut."""
        rows: list[Row] = [one.tokens for one in batch]
        table: list[list[float]] = []
        for output, _ in self._checkpoint.passes(rows):
            logits = output.logits.float()
            scores = logits.softmax(1) if self._activation == "softmax" else logits.sigmoid()
            table += scores.tolist()
        return [
            LabelScores(
                ((label, scores[column]) for label, column in self._columns.items()),
                truncated=row.truncated,
            )
            for row, scores in zip(rows, table, strict=True)
        ]


def build_sequence_classifier(
    entry: CatalogueEntry, labels: Sequence[str] | None, device: torch.device
) -> SequenceClassifier:
    """Make an engine of a catalogue entry; ``labels`` are the task's, None for any.

    Raises:
        CatalogueError: the entry's options are wrong, or name labels that the checkpoint or
            the task does not have.
        ModelRefused: the folder is incomplete, unsafe, or for another kind of problem.
    """
    options = read_options(entry, ClassificationOptions)
    checkpoint = Checkpoint(AutoModelForSequenceClassification, entry, device)
    activation = options.scores or _activation(checkpoint)
    own = {str(label): int(place) for place, label in checkpoint.config.id2label.items()}
    columns = map_labels(entry.name, own, options.labels, labels, activation)
    return SequenceClassifier(entry.name, checkpoint, columns, activation)


def map_labels(
    name: str,
    own: Mapping[str, int],
    mapping: Mapping[str, str],
    labels: Sequence[str] | None,
    activation: Activation,
) -> dict[str, int]:
    """Logit of each of the task's labels.

    ``own`` are the checkpoint's labels, ``mapping`` the entry's from these to the task's,
    ``labels`` the task's. Of independent scores some may be left out, of a distribution none.

    >>> map_labels("m", {"LABEL_0": 0, "LABEL_1": 1}, {"LABEL_1": "spam"}, ["spam"], "sigmoid")
    {'spam': 1}

    Raises:
        CatalogueError: a label is not the checkpoint's or not the task's, is given twice, or
            is missing.
    """
    given = mapping or {label: label for label in own}
    known = f"the checkpoint's labels are {', '.join(own)}"
    advice = f"say in [{name}.options.labels] which label of the task each of them is"
    if absent := sorted(set(given) - set(own)):
        raise CatalogueError(f"[{name}] options.labels names {absent[0]!r}, but {known}")
    if labels is not None and (strange := sorted(set(given.values()) - set(labels))):
        raise CatalogueError(
            f"[{name}] the task has no label {strange[0]!r}; its labels are "
            f"{', '.join(labels)}, and {known}: {advice}"
        )
    if len(set(given.values())) < len(given):
        raise CatalogueError(f"[{name}] options.labels gives one label of the task twice")
    if activation == "softmax" and (left := sorted(set(own) - set(given))):
        raise CatalogueError(
            f"[{name}] options.labels leaves out {left[0]!r}: scores that sum to one need all "
            f"labels; {advice}"
        )
    return {label: own[theirs] for theirs, label in given.items()}


def _activation(checkpoint: Checkpoint) -> Activation:
    kind: Any = getattr(checkpoint.config, "problem_type", None)
    if kind is None:
        return "softmax" if checkpoint.config.num_labels > 1 else "sigmoid"
    if kind not in _ACTIVATIONS:
        raise ModelRefused(
            f"{checkpoint.folder}: its config.json has problem_type {kind!r}, which gives no "
            "scores of labels; choose a classifier"
        )
    return _ACTIVATIONS[kind]
