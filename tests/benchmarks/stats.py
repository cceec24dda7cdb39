"""Medians, percentiles and paired ratios: pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """What the rounds of one figure came to."""

    median: float
    least: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """Median, least and most of ``values``.

    >>> spread([3.0, 1.0, 2.0])
    Spread(median=2.0, least=1.0, most=3.0)

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("a spread needs at least one value")
    return Spread(statistics.median(values), min(values), max(values))


def percentile(values: Iterable[float], percent: float) -> float:
    """Return the smallest value that ``percent`` of all values do not exceed (nearest rank).

    >>> percentile([4, 1, 3, 2], 50), percentile([4, 1, 3, 2], 95), percentile([7], 5)
    (2, 4, 7)

    Raises:
        ValueError: there are no values.
    """
    ranked = sorted(values)
    if not ranked:
        raise ValueError("a percentile needs at least one value")
    return ranked[max(0, math.ceil(percent / 100 * len(ranked)) - 1)]


def paired_ratio(ours: Sequence[float], baseline: Sequence[float]) -> float | None:
    """Median of the rounds' own ratios; None where the two share no round.

    Each round measured both on the same machine minutes apart, so what slowed the whole
    round leaves its ratio alone.

    >>> paired_ratio([10.0, 4.0, 9.0], [5.0, 2.0, 3.0])
    2.0
    >>> paired_ratio([1.0], []) is None
    True
    """
    ratios = [one / other for one, other in zip(ours, baseline, strict=False) if other > 0]
    return statistics.median(ratios) if ratios else None


def number(value: float) -> str:
    """Write a figure with the digits that mean something.

    >>> [number(value) for value in (12345.6, 123.4, 12.34, 1.234, 0.1234, 0.0)]
    ['12,346', '123', '12.3', '1.23', '0.123', '0']
    """
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{value:,.{min(3, max(0, digits))}f}"
