"""The engine that writes down what it computes.

``CHAOS_EXECUTIONS`` names the folder of the notes, one file a process, a line a computation:
``KEY WORKER TIME``, the worker's id as its supervisor reads it. A line is written before the
computation, so one that kills the process is there too. ``CHAOS_ITEM_SECONDS`` is how long an
input takes. ``CHAOS_MUTATION`` and ``CHAOS_CLOCK_SHIFT``: see ``lepton_chaos_mutations``.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lepton_chaos_mutations  # type: ignore[import-not-found]  # beside this file
import torch

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.supervisor.progress import PROGRESS_VARIABLE
from workers.catalogue.entries import CatalogueEntry
from workers.engines.base import Encoded


class ChaosEngine:
    """Computes nothing, and notes each time that it does."""

    revision = "0"

    def __init__(self, name: str, notes: Path, item_seconds: float) -> None:
        self.name = name
        self._item_seconds = item_seconds
        self._notes = os.open(
            notes / f"{os.getpid()}-{time.time_ns()}.log", os.O_CREAT | os.O_APPEND | os.O_WRONLY
        )

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """One token a text."""
        return [Encoded(1, one.text) for one in inputs]

    def forward(self, batch: Sequence[Encoded]) -> list[Mapping[str, Any]]:
        """Note every text, take the time, then do what each says."""
        worker = _worker_id()
        scripts = [one.tokens.split(" ", 1) for one in batch]
        lines = [f"{key} {worker} {time.time()}\n" for key, _ in scripts]
        os.write(self._notes, "".join(lines).encode())
        time.sleep(self._item_seconds * len(batch))
        for _, script in scripts:
            _act(script)
        return [{"by": worker} for _ in batch]


def build(entry: CatalogueEntry, device: torch.device) -> ChaosEngine:
    """Make the engine; the process is changed first where a test asks for that."""
    lepton_chaos_mutations.apply(os.environ)
    return ChaosEngine(
        entry.name,
        Path(os.environ["CHAOS_EXECUTIONS"]),
        float(os.environ.get("CHAOS_ITEM_SECONDS", "0")),
    )


def _worker_id() -> str:
    """The worker's id; it is in the progress file once the models are warm."""
    with Path(os.environ[PROGRESS_VARIABLE]).open("rb") as file:
        head = file.read(256)
    length = int.from_bytes(head[8:16], "little")
    return head[16 : 16 + length].decode() or "loading"


def _act(script: str) -> None:
    verb, _, seconds = script.partition(" ")
    if verb == "raise":
        raise ValueError(script)
    if verb == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if verb == "sleep":
        time.sleep(float(seconds))
