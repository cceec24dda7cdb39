"""A task that does nothing, brought from outside: what the path of a job costs by itself.

Its folder on PYTHONPATH is what an installed package is to Python, so this is also the
example of a task and an engine that users add by entry points and a catalogue file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions
from workers.catalogue.entries import CatalogueEntry
from workers.engines.base import Encoded

if TYPE_CHECKING:
    import torch  # producers load this module too, and have no torch


class NoopOutput(BaseModel):
    """How many characters the text has."""

    characters: int


class Noop(Task[TaskOptions, NoopOutput]):
    """Count characters."""

    name = "noop"
    summary = "Count the characters of a text."
    engine = "noop"
    options_model = TaskOptions
    output_model = NoopOutput
    examples = (Example("one"), Example("二"))

    def encode(self, item: str, options: TaskOptions) -> ModelInput:
        """Pass the text on."""
        return ModelInput(item, "und")

    def decode(
        self, raw: Mapping[str, float], model_input: ModelInput, options: TaskOptions
    ) -> NoopOutput:
        """Read the count."""
        return NoopOutput(characters=int(raw["characters"]))


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
