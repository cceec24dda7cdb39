"""A worker that is alive but consumes nothing must end, so that another takes its place."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from lepton_tasks.queues import queue_name
from lepton_tasks.store.due import Queue

Oldest = Callable[[Sequence[Queue], float], Mapping[Queue, float]]
"""Ages in seconds of the oldest due jobs of queues, those of less than some seconds left out."""


class StallWatch:
    """Finds that jobs wait, the worker has room for them, and yet it claims none.

    Whatever the reason is, the store has offered the jobs all the time: a worker claims
    what is overdue there when messages do not bring it.
    """

    def __init__(
        self,
        oldest: Oldest,
        queues: Callable[[], Sequence[Queue]],
        free: Callable[[], int],
        claimed_at: Callable[[], float],
        seconds: float,
        end: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``free`` is the room in the window, ``claimed_at`` the monotonic time of the last claim.

        ``end`` is called with the reason once nothing was claimed for ``seconds``.
        """
        self._oldest = oldest
        self._queues = queues
        self._free = free
        self._claimed_at = claimed_at
        self._seconds = seconds
        self._end = end
        self._clock = clock
        self._since = clock()

    def look(self) -> None:
        """Look once; to be called every few seconds.

        Raises:
            StoreUnavailable: the database cannot be used; the time without it does not count.
        """
        moment = self._clock()
        if self._free() <= 0:
            self._since = moment
        quiet = moment - max(self._since, self._claimed_at())
        if quiet < self._seconds:
            return
        since, self._since = self._since, moment
        overdue = self._oldest(self._queues(), self._seconds)
        self._since = since
        if overdue:
            queue = max(overdue, key=lambda queue: overdue[queue])
            self._end(
                f"a job of {queue_name(*queue)} has waited for {overdue[queue]:.0f} s, there is "
                f"room, and nothing was claimed for {quiet:.0f} s (LEPTON_STALL_SECONDS)"
            )
            self._since = moment
