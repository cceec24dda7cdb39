"""When an endpoint that answers nothing is left alone. Pure; times in seconds of any clock.

Closed: everything is sent. Open, after some failures in a row: nothing is sent for a
pause. After the pause it is half open: one delivery goes as a probe, which closes the
breaker or opens it for twice as long.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """Bounds of a breaker; pauses in seconds."""

    failures: int = 10
    """In a row, until it opens."""
    pause: float = 5.0
    """The first time; each failed probe doubles it."""
    longest: float = 300.0


class Breaker:
    """State of one endpoint.

    >>> breaker = Breaker(BreakerLimits(failures=2, pause=5.0))
    >>> [breaker.ended(well=False, probe=breaker.begin(0.0), now=0.0) for _ in range(2)]
    [None, None]
    >>> breaker.permits(4.9), breaker.permits(5.0)
    (False, True)

    One probe at a time; it fails, and the pause is twice as long:

    >>> probe = breaker.begin(5.0)
    >>> probe, breaker.permits(6.0)
    (True, False)
    >>> breaker.ended(well=False, probe=probe, now=6.0)
    >>> breaker.opens_at(6.0)
    16.0
    >>> breaker.ended(well=True, probe=breaker.begin(16.0), now=16.1)
    >>> breaker.permits(16.1), breaker.calm
    (True, True)
    """

    __slots__ = ("_failed", "_limits", "_pause", "_probing", "_until")

    def __init__(self, limits: BreakerLimits) -> None:
        self._limits = limits
        self._failed = 0
        self._until: float | None = None
        self._pause = limits.pause
        self._probing = False

    @property
    def closed(self) -> bool:
        """Whether nothing keeps deliveries from being sent."""
        return self._until is None

    @property
    def calm(self) -> bool:
        """Whether it is as new: closed, and nothing has failed since the last success."""
        return self._until is None and self._failed == 0

    def permits(self, now: float) -> bool:
        """Whether a delivery may be sent."""
        return self._until is None or (now >= self._until and not self._probing)

    def opens_at(self, now: float) -> float | None:
        """When deliveries may be sent: ``now`` or later; None while a probe decides it."""
        if self._until is None:
            return now
        return None if self._probing else max(now, self._until)

    def begin(self, now: float) -> bool:
        """Note a sending that :meth:`permits` permitted; True makes it the probe."""
        self._probing = self._probing or self._until is not None
        return self._until is not None

    def ended(self, *, well: bool | None, probe: bool, now: float) -> None:
        """Note how a sending went; ``well`` is None for one that was called off.

        What was sent before it opened can close it by going well; its failures count
        no more.
        """
        if probe:
            self._probing = False
        if well:
            self._failed, self._until, self._pause = 0, None, self._limits.pause
        elif well is not None and probe and self._until is not None:
            self._pause = min(2 * self._pause, self._limits.longest)
            self._until = now + self._pause
        elif well is not None and self._until is None:
            self._failed += 1
            if self._failed >= self._limits.failures:
                self._until = now + self._pause
