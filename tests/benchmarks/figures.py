"""What a section measured: values by system and metric, failures, notes; plain JSON outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.stats import paired_ratio, spread


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of the section's table: its key, and its heading with the unit."""

    key: str
    heading: str


@dataclass(slots=True)
class Figures:
    """One value a round for each system and metric, in the order they were first seen."""

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, system: str, measured: Mapping[str, float]) -> None:
        """Take one round of a system."""
        rounds = self.values.setdefault(system, {})
        for metric, value in measured.items():
            rounds.setdefault(metric, []).append(value)

    def fail(self, system: str, reason: str) -> None:
        """Keep why a system has no further rounds."""
        self.failures[system] = reason

    def note(self, line: str) -> None:
        """Keep a sentence for the page, once."""
        if line not in self.notes:
            self.notes.append(line)

    def rounds(self, system: str, metric: str) -> Sequence[float]:
        """Values of a system, one a round; empty where there are none."""
        return self.values.get(system, {}).get(metric, ())

    def median(self, system: str, metric: str) -> float | None:
        """Median over the rounds; None where there are none.

        >>> figures = Figures()
        >>> figures.add("a", {"rate": 2.0})
        >>> figures.median("a", "rate"), figures.median("b", "rate")
        (2.0, None)
        """
        rounds = self.rounds(system, metric)
        return spread(rounds).median if rounds else None

    def ratio(self, system: str, baseline: str, metric: str) -> float | None:
        """Paired ratio of two systems; None where one has no figure."""
        return paired_ratio(self.rounds(system, metric), self.rounds(baseline, metric))

    def best(self, systems: Sequence[str], metric: str) -> str | None:
        """The system with the highest median; None where none has a figure."""
        medians = {name: self.median(name, metric) for name in systems}
        found = {name: value for name, value in medians.items() if value is not None}
        return max(found, key=found.__getitem__) if found else None

    def dump(self) -> dict[str, Any]:
        """As JSON values."""
        return {"values": self.values, "failures": self.failures, "notes": self.notes}

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Figures:
        """Inverse of :meth:`dump`."""
        return cls(dict(data["values"]), dict(data["failures"]), list(data["notes"]))
