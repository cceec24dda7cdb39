"""What every system under test offers to the sections."""

from __future__ import annotations

import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.children import ROOT, Child, answer, wait_until

START_SECONDS: Final = 120.0
PLUGINS: Final = ROOT / "tests" / "plugins"


@dataclass(frozen=True, slots=True)
class Tuned:
    """What the worker's own tuning chose on this machine for the benchmark's model."""

    budget: int
    threads: int
    texts_per_second: float


@dataclass(slots=True)
class Bench:
    """What the measurements share. ``limit`` is the seconds that one may take."""

    folder: Path
    peers_python: Path
    limit: float
    tuned: Tuned = Tuned(2048, 1, 100.0)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def fresh_folder(self, name: str) -> Path:
        """A new empty folder, removed with everything else at the end of the run."""
        folder = self.folder / f"{next(self._numbers):04}-{name}"
        folder.mkdir(parents=True)
        return folder


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process that takes jobs since ``ready_at`` (Unix seconds)."""

    child: Child
    ready_at: float


@dataclass(frozen=True, slots=True)
class Drained:
    """A backlog worked off, from a ready worker to the last stored result."""

    seconds: float
    cpu_seconds: float

    def figures(self, jobs: int) -> dict[str, float]:
        """Jobs a second, and the worker's CPU seconds for 1,000 of them."""
        return {"rate": jobs / self.seconds, "cpu": self.cpu_seconds / jobs * 1e3}


class Session(ABC):
    """A system on fresh services: nothing of an earlier measurement is in it."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench = bench
        self.folder = folder

    @abstractmethod
    def client_command(self) -> list[str]:
        """Command line of its clients, without command and options."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Variables of its clients."""

    @abstractmethod
    def worker(self, task: str, **variables: str) -> AbstractContextManager[Worker]:
        """A ready worker for ``task`` inside the block, with further ``variables``."""

    @abstractmethod
    def is_drained(self, jobs: int) -> bool:
        """Whether the results of all ``jobs`` are stored."""

    def client(self, command: str, **options: Any) -> Any:
        """Run a client to its end; returns its answer.

        Raises:
            StepFailed: it failed or did not end in time.
        """
        log = self.bench.fresh_folder("client") / "log"
        argv = [*self.client_command(), command, json.dumps(options)]
        return answer(argv, self.environment(), log, self.bench.limit)

    def drain(self, task: str, jobs: int, **variables: str) -> Drained:
        """Start a worker on a backlog of ``jobs`` and time it.

        Raises:
            StepFailed: the worker ended, or it took too long.
        """
        with self.worker(task, **variables) as worker:
            cpu = worker.child.cpu_seconds()
            ended = wait_until(
                lambda: self.is_drained(jobs), worker.child, self.bench.limit, "the drain"
            )
            return Drained(ended - worker.ready_at, worker.child.cpu_seconds() - cpu)
