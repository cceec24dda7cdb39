"""A target beside what was measured: met, missed or not measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.stats import number


@dataclass(frozen=True, slots=True)
class Verdict:
    """One claim. ``ratio`` is figure to baseline; ``met`` is None where one of them is missing."""

    target: str
    claim: str
    figure: float | None
    baseline: float | None
    ratio: float | None
    met: bool | None

    @property
    def word(self) -> str:
        """``met``, ``missed`` or ``not measured``."""
        if self.met is None:
            return "not measured"
        return "met" if self.met else "missed"

    def cells(self) -> list[str]:
        """Target, claim, figure, baseline, ratio and verdict as text.

        >>> at_least("2", "3,000 jobs/s", 2400.0, 3000.0).cells()
        ['2', '3,000 jobs/s', '2,400', '3,000', '0.800', 'missed']
        """
        shown = [
            "–" if value is None else number(value)
            for value in (self.figure, self.baseline, self.ratio)
        ]
        return [self.target, self.claim, *shown, self.word]

    def dump(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Verdict:
        """Inverse of :meth:`dump`."""
        return cls(**data)


def at_least(
    target: str,
    claim: str,
    figure: float | None,
    baseline: float | None,
    times: float = 1.0,
    ratio: float | None = None,
) -> Verdict:
    """The figure is at least ``times`` the baseline; ``ratio`` is a paired one, if there is."""
    return _verdict(target, claim, figure, baseline, ratio, lambda found: found >= times)


def at_most(
    target: str,
    claim: str,
    figure: float | None,
    baseline: float | None,
    times: float = 1.0,
    ratio: float | None = None,
) -> Verdict:
    """The figure is at most ``times`` the baseline.

    >>> at_most("3", "p50", 5.0, 4.0).met, at_most("3", "p50", None, 4.0).word
    (False, 'not measured')
    """
    return _verdict(target, claim, figure, baseline, ratio, lambda found: found <= times)


def _verdict(
    target: str,
    claim: str,
    figure: float | None,
    baseline: float | None,
    ratio: float | None,
    holds: Any,
) -> Verdict:
    if figure is None or baseline is None:
        return Verdict(target, claim, figure, baseline, None, None)
    found = ratio if ratio is not None else figure / baseline if baseline else None
    return Verdict(target, claim, figure, baseline, found, None if found is None else holds(found))
