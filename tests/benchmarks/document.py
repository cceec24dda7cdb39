"""The raw outcome: one JSON file, one entry a section, merged from run to run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.figures import Figures
from tests.benchmarks.verdicts import Verdict

FILE: Final = "benchmarks.json"


@dataclass(frozen=True, slots=True)
class Result:
    """A section's outcome. ``complete`` is False where Ctrl-C or an error cut it short."""

    figures: Figures
    verdicts: list[Verdict]
    machine: Mapping[str, Any]
    quick: bool
    complete: bool
    seconds: float

    def dump(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **self.figures.dump(),
            "verdicts": [verdict.dump() for verdict in self.verdicts],
            "machine": dict(self.machine),
            "quick": self.quick,
            "complete": self.complete,
            "seconds": round(self.seconds, 1),
        }

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Result:
        """Inverse of :meth:`dump`."""
        return cls(
            Figures.load(data),
            [Verdict.load(one) for one in data["verdicts"]],
            data["machine"],
            data["quick"],
            data["complete"],
            data["seconds"],
        )


@dataclass(slots=True)
class Document:
    """All results by section."""

    results: dict[str, Result] = field(default_factory=dict)

    def put(self, name: str, result: Result) -> bool:
        """Take a section's result; a part of one never displaces a whole one.

        Returns:
            Whether it was taken.
        """
        held = self.results.get(name)
        empty = not any(result.figures.values.values())
        if not result.complete and held is not None and (held.complete or empty):
            return False
        self.results[name] = result
        return True


def read(folder: Path) -> Document:
    """Read what earlier runs left in ``folder``; an empty document where there is nothing."""
    path = folder / FILE
    if not path.exists():
        return Document()
    data = json.loads(path.read_text(encoding="utf-8"))
    return Document({name: Result.load(one) for name, one in data["sections"].items()})


def write(folder: Path, document: Document) -> None:
    """Replace the file, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    sections = {name: result.dump() for name, result in document.results.items()}
    fresh = folder / f"{FILE}.{os.getpid()}"
    fresh.write_text(json.dumps({"sections": sections}, indent=1) + "\n", encoding="utf-8")
    fresh.replace(folder / FILE)
