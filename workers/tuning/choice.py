"""Which measured point a worker runs at: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

MOST_SECONDS: Final = 0.5
"""Longest micro-batch that a default choice may lead to."""
TOLERANCE: Final = 0.03
"""Share of the best rate that a smaller micro-batch or fewer threads may cost."""


@dataclass(frozen=True, slots=True)
class Point:
    """What one combination of threads and budget did.

    ``budget`` is in padded tokens. ``tokens_per_second`` counts real tokens, so padding
    lowers it; ``texts_per_second`` is that rate over the mean length of the text mix.
    ``seconds`` is one full micro-batch. Where the device ran out of memory there are
    no figures.
    """

    threads: Annotated[int, Field(ge=1)]
    budget: Annotated[int, Field(ge=16)]
    tokens_per_second: Annotated[float, Field(ge=0)]
    texts_per_second: Annotated[float, Field(ge=0)]
    seconds: Annotated[float, Field(ge=0)]
    out_of_memory: bool = False


def choose(
    points: Sequence[Point], most_seconds: float = MOST_SECONDS, tolerance: float = TOLERANCE
) -> Point:
    """Return the smallest budget, then the fewest threads, near the best rate.

    Near is within ``tolerance`` of the best among the points whose micro-batch takes
    at most ``most_seconds``. Where none is that quick, the quickest micro-batch is
    taken: latency is what the bound protects.

    >>> slow, good, same = [Point(2, n, rate, rate / 40, n / rate)
    ...                     for n, rate in ((256, 3_000.0), (512, 3_950.0), (1024, 4_000.0))]
    >>> choose([slow, good, same]).budget
    512
    >>> choose([slow, good, Point(1, 512, 3_900.0, 97.5, 0.13)]).threads
    1
    >>> choose([slow, good, same], most_seconds=0.01).budget
    256

    Raises:
        ValueError: no point was measured.
    """
    measured = [point for point in points if not point.out_of_memory]
    if not measured:
        raise ValueError("there is no measured point to choose from")
    quick = [point for point in measured if point.seconds <= most_seconds]
    if not quick:
        return min(measured, key=lambda point: (point.seconds, point.budget, point.threads))
    best = max(point.tokens_per_second for point in quick)
    near = [point for point in quick if point.tokens_per_second >= (1 - tolerance) * best]
    return min(near, key=lambda point: (point.budget, point.threads))
