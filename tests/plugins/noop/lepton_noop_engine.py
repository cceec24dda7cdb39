"""The engine of the task that does nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from lepton_tasks.nlp.base import ModelInput
from workers.catalogue.entries import CatalogueEntry
from workers.engines.base import Encoded


class NoopEngine:
    """Answers at once."""

    revision = "0"

    def __init__(self, name: str) -> None:
        self.name = name

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """One token a text."""
        return [Encoded(1, len(one.text)) for one in inputs]

    def forward(self, batch: Sequence[Encoded]) -> list[Mapping[str, float]]:
        """Hand the lengths back."""
        return [{"characters": one.tokens} for one in batch]


class GatedEngine(NoopEngine):
    """Answers at once, but not while the file ``gate`` is there."""

    def __init__(self, name: str, gate: Path) -> None:
        super().__init__(name)
        self._gate = gate

    def forward(self, batch: Sequence[Encoded]) -> list[Mapping[str, float]]:
        """Hand the lengths back once the gate is open."""
        while self._gate.exists():
            time.sleep(0.01)
        return super().forward(batch)


def build(entry: CatalogueEntry, device: torch.device) -> NoopEngine:
    """Make the engine; with ``NOOP_GATE`` it waits while the file of that name exists."""
    gate = os.environ.get("NOOP_GATE")
    return NoopEngine(entry.name) if gate is None else GatedEngine(entry.name, Path(gate))
