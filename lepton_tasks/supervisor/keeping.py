"""When a supervisor renews the lease of a worker that cannot do so itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signs:
    """What a worker shows of itself at one look.

    ``beats`` counts its own renewals, ``moves`` is anything that changes while it gets on,
    ``at_work`` tells that it is in something that it has announced and that may hold the
    interpreter: a micro-batch, a model being loaded, inputs being encoded.
    """

    beats: int
    moves: tuple[int, ...]
    at_work: bool


class LeaseKeeper:
    """Decides for one worker process; times in seconds of one monotonic clock."""

    def __init__(self, lease: float, budget: float) -> None:
        """``lease`` is how long one renewal lasts, ``budget`` how long one step may take."""
        self._late = lease / 2
        self._budget = budget
        self._seen: Signs | None = None
        self._renewed_at = 0.0
        self._moved_at = 0.0

    def is_due(self, signs: Signs, now: float) -> bool:
        """Whether to renew now: the worker is late with it, and at work within its budget.

        A worker renews its lease three times in the time that it lasts, unless a call
        in C keeps its other threads from running. One that is at nothing and does not
        renew is not alive, and one whose step outlasts the budget hangs.

        >>> keeper = LeaseKeeper(lease=12, budget=60)
        >>> step = Signs(beats=1, moves=(7,), at_work=True)
        >>> [keeper.is_due(step, now) for now in (0, 5, 6, 7, 12, 60, 61)]
        [False, False, True, False, True, True, False]
        >>> keeper.is_due(Signs(1, (9,), at_work=True), 66), keeper.is_due(step, 200)
        (True, True)
        >>> idle = Signs(beats=1, moves=(8,), at_work=False)
        >>> [keeper.is_due(idle, now) for now in (300, 307)]
        [False, False]
        """
        if self._seen is None or signs.beats != self._seen.beats:
            self._renewed_at = now
        if self._seen is None or signs != self._seen:
            self._moved_at = now
        self._seen = signs
        if not signs.at_work or now - self._moved_at > self._budget:
            return False
        if now - self._renewed_at < self._late:
            return False
        self._renewed_at = now
        return True
