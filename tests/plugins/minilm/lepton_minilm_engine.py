"""The engine of the benchmarks' model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from lepton_tasks.nlp.base import ModelInput
from tests.benchmarks.minilm import PACKAGE, Classifier
from workers.catalogue.entries import CatalogueEntry
from workers.engines.base import Encoded


class MiniLMEngine:
    """The classifier behind the worker's two verbs."""

    def __init__(self, name: str, device: torch.device) -> None:
        self.name = name
        self.revision = PACKAGE
        self._classifier = Classifier(str(device))

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Token ids; their number is the length."""
        found = self._classifier.tokenize([one.text for one in inputs])
        return [Encoded(len(ids), ids) for ids in found]

    def forward(self, batch: Sequence[Encoded]) -> list[Mapping[str, float]]:
        """One pass over one padded rectangle."""
        scores = self._classifier.forward([one.tokens for one in batch])
        return [{"first": first, "second": second} for first, second in scores]


def build(entry: CatalogueEntry, device: torch.device) -> MiniLMEngine:
    """Make the engine."""
    return MiniLMEngine(entry.name, device)
