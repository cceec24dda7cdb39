"""How many jobs of one tenant may wait in one queue; what comes beyond it is refused, not kept.

Counting is dear, so a process remembers what it was told and adds what it has stored
since. A line (a tenant's jobs in a queue) is counted again once that might matter: after
a second, and after this process has added a sixteenth of the room that was left, so that
as many processes together cannot run past the bound unseen. Counting takes a fiftieth of
the time at most, however long the line is.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lepton_tasks.errors import Overloaded
from lepton_tasks.jobs import NewJob
from lepton_tasks.queues import Priority, queue_name

Line = tuple[str, str, Priority]
"""Tenant, task and priority: a tenant's jobs in one queue."""

MOST_LINES: Final = 10_000
"""Lines that are remembered; what is forgotten is counted again."""
_FRESH_SECONDS: Final = 1.0
_SHARE_OF_TIME: Final = 0.02
_SHARE_OF_ROOM: Final = 16
_TRUSTED_SECONDS: Final = 5.0
"""How long after it should have been counted again a line is still refused by its last count."""
_MEMORY_SECONDS: Final = 10.0
"""Over about how long the rate is taken at which jobs leave a line."""
_STEP: Final = 16
"""Whoever is refused is asked back when this share of the bound has become free."""
LEAST_WAIT: Final = 1.0
FIRST_WAIT: Final = 5.0
"""Seconds to wait where it is not known yet how fast jobs leave."""
MOST_WAIT: Final = 60.0
"""A client that is told to wait longer may give up instead."""


@dataclass(slots=True)
class _Known:
    """What this process knows of a line. ``due_at`` is when it may be counted again."""

    counted: int = 0
    counted_at: float | None = None
    due_at: float = float("-inf")
    begun_at: float | None = None
    added_when_begun: int = 0
    added: int = 0
    on_the_way: int = 0
    rate: float | None = None

    @property
    def size(self) -> int:
        return self.counted + self.added + self.on_the_way


def lines_of(jobs: Sequence[NewJob]) -> Mapping[Line, int]:
    """How many of ``jobs`` belong to each line."""
    if len(jobs) == 1:  # most often, and a Counter costs more than all the rest
        return {(jobs[0].tenant, jobs[0].task, jobs[0].priority): 1}
    return Counter((job.tenant, job.task, job.priority) for job in jobs)


class TenantBound:
    """Lets jobs in while their line is shorter than ``most``; asks nobody itself.

    Callers may be threads. A call that finds a line below its bound takes all its jobs there,
    so a line can end longer by one call a process.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: dict[Line, _Known] = {}

    @property
    def look_up_to(self) -> int:
        """Jobs up to which a line need be counted."""
        return 2 * self._most

    def unsure(self, counts: Mapping[Line, int]) -> list[Line]:
        """Those lines that the caller shall count now, and tell :meth:`saw` or :meth:`missed`.

        No other caller is asked meanwhile.
        """
        with self._lock:
            moment = self._clock()
            return [line for line in counts if self._begin(line, moment)]

    def _begin(self, line: Line, moment: float) -> bool:
        known = self._lines.get(line)
        if known is None:
            known = self._remember(line)
        elif known.begun_at is not None or moment < known.due_at or self._has_room(known):
            return False
        known.begun_at, known.added_when_begun = moment, known.added
        return True

    def _has_room(self, known: _Known) -> bool:
        return known.added * _SHARE_OF_ROOM < self._most - known.counted

    def saw(self, line: Line, count: int) -> None:
        """Note how many jobs of a line wait, counted up to :attr:`look_up_to`."""
        with self._lock:
            known, moment = self._known(line), self._clock()
            begun_at = moment if known.begun_at is None else known.begun_at
            if known.counted_at is not None and begun_at > known.counted_at:
                gone = max(0, known.counted + known.added_when_begun - count)
                known.rate = _blended(known.rate, gone, begun_at - known.counted_at)
            known.counted, known.counted_at = count, begun_at
            # What came in since the count began may be in it: rather twice than not at all.
            known.added -= known.added_when_begun
            self._end(known, moment, moment - begun_at)

    def missed(self, line: Line) -> None:
        """Note that a line could not be counted."""
        with self._lock:
            self._end(self._known(line), self._clock(), 0.0)

    def _end(self, known: _Known, moment: float, took: float) -> None:
        known.begun_at, known.added_when_begun = None, 0
        known.due_at = moment + max(_FRESH_SECONDS, took / _SHARE_OF_TIME)

    def enter(self, counts: Mapping[Line, int]) -> None:
        """Let jobs in, all or none; what comes of them goes to :meth:`leave`.

        Raises:
            Overloaded: a line is as long as it may be.
        """
        with self._lock:
            moment = self._clock()
            for line in counts:
                known = self._known(line)
                if known.size >= self._most and moment < known.due_at + _TRUSTED_SECONDS:
                    raise self._refusal(line, known)
            for line, count in counts.items():
                self._known(line).on_the_way += count

    def leave(self, counts: Mapping[Line, int], stored: Mapping[Line, int]) -> None:
        """Note which of the jobs that were let in have been stored."""
        with self._lock:
            for line, count in counts.items():
                known = self._known(line)
                known.on_the_way = max(0, known.on_the_way - count)
                known.added += stored.get(line, 0)

    def _known(self, line: Line) -> _Known:
        return self._lines.get(line) or self._remember(line)

    def _remember(self, line: Line) -> _Known:
        while len(self._lines) >= MOST_LINES:
            del self._lines[next(iter(self._lines))]
        known = self._lines[line] = _Known()
        return known

    def _refusal(self, line: Line, known: _Known) -> Overloaded:
        wait = self._wait(known)
        return Overloaded(
            f"{known.size:,} jobs wait in {queue_name(*line[1:])} already, and a tenant may have "
            f"{self._most:,} there (LEPTON_TENANT_BACKLOG); nothing was accepted, send it again "
            f"in {math.ceil(wait)} s",
            wait,
            "backlog_full",
        )

    def _wait(self, known: _Known) -> float:
        if known.rate is None:
            return FIRST_WAIT
        surplus = known.size - self._most + max(1, self._most // _STEP)
        if known.rate * MOST_WAIT <= surplus:
            return MOST_WAIT
        return max(LEAST_WAIT, surplus / known.rate)


def _blended(rate: float | None, gone: int, seconds: float) -> float:
    """The rate at which jobs leave, after ``gone`` of them have in so many seconds.

    >>> round(_blended(None, 50, 1.0), 9), round(_blended(50.0, 0, 1.0), 1)
    (50.0, 45.2)
    """
    latest = gone / seconds
    if rate is None:
        return latest
    weight = 1 - math.exp(-seconds / _MEMORY_SECONDS)
    return rate + weight * (latest - rate)
