"""What one run has shown, as a line of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.chaos.checker import Verdict, percentile


@dataclass(frozen=True, slots=True)
class Finding:
    """A run's outcome. ``faults`` is empty where every guarantee held; ``figures`` are words.

    ``expected`` says that the safeguard was taken out, so that faults are what must be found.
    """

    guarantees: str
    title: str
    database: str
    load: str
    faults: Mapping[str, int] = field(default_factory=dict)
    figures: Mapping[str, str] = field(default_factory=dict)
    expected: bool = False
    seconds: float = 0.0

    @property
    def held(self) -> bool:
        """Whether the run shows what it should."""
        return bool(self.faults) == self.expected

    def as_json(self) -> dict[str, Any]:
        """For the raw file."""
        return asdict(self)


def figures_of(verdict: Verdict) -> dict[str, str]:
    """What the report says of a verdict, beside its faults."""
    faults = verdict.faults()
    shown = {
        "lost": str(faults.get("lost", 0)),
        "twice": str(faults.get("written twice", 0) + faults.get("jobs with two events", 0)),
        "re-executed": f"{verdict.re_executed:,} of {verdict.executions:,}",
    }
    for fault, times in verdict.recovery.items():
        p50, p99 = (percentile(times, share) for share in (0.5, 0.99))
        shown[f"recovery, {fault}"] = f"{p50:.1f} / {p99:.1f} s ({len(times):,} jobs)"
    return shown
