"""The workers' own notes of what they computed, read back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Execution:
    """One computation: of which text, by which worker, at which Unix second."""

    key: str
    worker: str
    at: float


def parse(line: str) -> Execution | None:
    r"""Read one line; None for a warm-up and for a line that a crash cut short.

    >>> parse("job-7 worker_1 12.5\n")
    Execution(key='job-7', worker='worker_1', at=12.5)
    >>> parse("warm loading 1.0\n") is None, parse("job-7 work") is None
    (True, True)
    """
    parts = line.split()
    if len(parts) != 3 or not line.endswith("\n") or parts[0] in ("warm", "热"):
        return None
    return Execution(parts[0], parts[1], float(parts[2]))


def read_executions(folder: Path) -> Iterator[Execution]:
    """Read the notes of all processes, in no order."""
    for path in sorted(folder.glob("*.log")):
        with path.open(encoding="utf-8") as file:
            for line in file:
                if found := parse(line):
                    yield found
