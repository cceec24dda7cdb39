"""Classifiers of the Hugging Face hub: any ``AutoModelForSequenceClassification`` folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from transformers import AutoModelForSequenceClassification

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.scores import LabelScores
from workers.catalogue.entries import CatalogueEntry
from workers.catalogue.options import read_options
from workers.engines.base import Encoded
from workers.engines.checkpoint import Checkpoint, Row
from workers.engines.labels import Activation, map_labels
from workers.errors import ModelRefused

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
