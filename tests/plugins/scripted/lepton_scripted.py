"""A task whose text says what the model shall do with it: be slow, raise, die, or answer.

``encode sleep 2``, ``encode raise``, ``sleep 0.5``, ``raise`` and ``kill`` do so; ``memory``
never fits, and ``away 2`` is away twice. ``hold PATH`` makes ``PATH.started`` and ends when
``PATH.go`` is there; ``gil 2`` keeps the interpreter for two seconds. Any other text is
answered with the number of forward passes so far and the size of its micro-batch.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pydantic import BaseModel

from lepton_tasks.nlp.base import Example, ModelInput, TaskOptions
from tests.support.passing_on import PassingOn
from workers.catalogue.entries import CatalogueEntry
from workers.engines.base import Encoded
from workers.errors import TemporaryFailure


class ScriptedOutput(BaseModel):
    """Which forward pass it was, counted from 1, and how many items it had."""

    forward: int
    items: int


class Scripted(PassingOn[ScriptedOutput]):
    """Do what the text says."""

    name = "scripted"
    summary = "Do what the text says."
    engine = "scripted"
    output_model = ScriptedOutput
    examples = (Example("answer"), Example("回答"))

    def encode(self, item: str, options: TaskOptions) -> ModelInput:
        """Heed ``encode …``."""
        if item.startswith("encode "):
            _act(item.removeprefix("encode "))
        return super().encode(item, options)


class ScriptedEngine:
    """Heeds everything else."""

    revision = "0"

    def __init__(self, name: str) -> None:
        self.name = name
        self._forwards = 0
        self._away: Counter[str] = Counter()

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """One token a text."""
        return [Encoded(1, one.text) for one in inputs]

    def forward(self, batch: Sequence[Encoded]) -> list[Mapping[str, float]]:
        """Do what each text says, then answer all."""
        self._forwards += 1
        for one in batch:
            _act(one.tokens)
            self._be_away(one.tokens)
        return [{"forward": self._forwards, "items": len(batch)} for _ in batch]

    def _be_away(self, script: str) -> None:
        verb, _, times = script.partition(" ")
        if verb == "away" and self._away[script] < int(times.split()[0]):
            self._away[script] += 1
            raise TemporaryFailure(script)


def build(entry: CatalogueEntry, device: torch.device) -> ScriptedEngine:
    """Make the engine."""
    return ScriptedEngine(entry.name)


def _act(script: str) -> None:
    verb, _, seconds = script.partition(" ")
    if verb == "raise":
        raise ValueError(script)
    if verb == "memory":
        raise MemoryError
    if verb == "hold":
        Path(f"{seconds}.started").touch()
        while not Path(f"{seconds}.go").exists():
            time.sleep(0.01)
    if verb == "gil":
        ctypes.PyDLL(None).sleep(int(seconds))
    if verb == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if verb == "sleep":
        time.sleep(float(seconds.split()[0]))
