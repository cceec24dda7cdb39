"""At most so many deliveries a second to one endpoint. Pure; times in seconds of any clock."""

from __future__ import annotations


class Pace:
    """Spreads deliveries; a second's worth may go at once after a rest.

    In any ``t`` seconds at most ``rate * t + max(rate, 1)`` are let go.

    >>> pace = Pace(rate=2.0)
    >>> [pace.wait(0.0) or pace.take(0.0) for _ in range(3)]
    [None, None, 0.5]
    >>> pace.wait(0.4), pace.wait(0.5)
    (0.1, 0.0)

    A rate of 0 is no limit:

    >>> Pace(rate=0.0).wait(0.0)
    0.0
    """

    __slots__ = ("_ahead", "_interval", "_next")

    def __init__(self, rate: float) -> None:
        """``rate`` is deliveries a second; 0 means any number."""
        self._interval = 1 / rate if rate else 0.0
        self._ahead = (max(rate, 1.0) - 1.0) * self._interval
        self._next = float("-inf")

    def wait(self, now: float) -> float:
        """Seconds until the next delivery may go."""
        if not self._interval:
            return 0.0
        return max(0.0, round(self._next - self._ahead - now, 9))

    def take(self, now: float) -> None:
        """Note a delivery that goes."""
        self._next = max(self._next, now) + self._interval
