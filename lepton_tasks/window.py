"""How much of a backlog Redis holds: a window a queue, the rest waits in SQL.

The feeder refills a queue up to half its window, tenant by tenant. While a queue is not
that long, whoever has no backlog publishes at once. Above that only tenants do who have
less than a share of the window in the queue; so one with a long backlog does not keep
the others out. A queue as long as its window takes nothing from anybody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

SHARES: Final = 16
"""Shares of a window; half of them are above the feeder's half."""
_FRESH_SECONDS: Final = 1.0
_FRESH_WHEN_FULL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many new jobs of a queue may be published at once.

    ``room`` is that of the queue; ``share`` bounds what a tenant may have published and
    not yet claimed, None where it does not matter.
    """

    room: int
    share: int | None = None


def fill_of(size: int) -> int:
    """Messages up to which the feeder refills a queue whose window is ``size``.

    >>> fill_of(2_000), fill_of(1)
    (1000, 1)
    """
    return max(1, size // 2)


@dataclass(slots=True)
class _Queue:
    length: int = 0
    seen_at: float = float("-inf")
    on_the_way: int = 0


class Window:
    """What one process knows of the queues' lengths, and what it may add. Asks nobody itself.

    The length that each publishing reports is the next one's measure. What other
    processes have added since can carry a queue beyond its bound by a group or two.
    """

    def __init__(
        self,
        size: int,
        clock: Callable[[], float] = time.monotonic,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_lost`` is called by whoever finds Redis away; it sees to :meth:`found`."""
        self._size = size
        self._fill = fill_of(size)
        self._share = max(1, size // SHARES)
        self._clock = clock
        self._lock = threading.Lock()
        self._queues: dict[str, _Queue] = {}
        self._on_lost = on_lost
        self.is_lost = False
        """Whether Redis did not answer, and has not been found again."""

    def unsure(self, queues: Iterable[str]) -> list[str]:
        """Those of ``queues`` whose length should be looked up before jobs are added.

        None while Redis is away. A full queue is looked at more often: it may have
        been emptied, and what is held back then waits for nothing.
        """
        with self._lock:
            if self.is_lost:
                return []
            moment = self._clock()
            return [name for name in queues if self._is_stale(name, moment)]

    def _is_stale(self, name: str, moment: float) -> bool:
        queue = self._queues.get(name)
        if queue is None:
            return True
        full = queue.length + queue.on_the_way >= self._fill
        return moment - queue.seen_at > (_FRESH_WHEN_FULL_SECONDS if full else _FRESH_SECONDS)

    def saw(self, lengths: Mapping[str, int]) -> None:
        """Note how long queues are."""
        with self._lock:
            for name, length in lengths.items():
                queue = self._queues.setdefault(name, _Queue())
                queue.length, queue.seen_at = length, self._clock()

    def lost(self) -> None:
        """Note that Redis did not answer: until it is found, nothing is published at once."""
        self.is_lost = True
        self._on_lost()

    def found(self) -> None:
        """Note that it is back; how long its queues are is not known any more."""
        with self._lock:
            self.is_lost = False
            for queue in self._queues.values():
                queue.seen_at = float("-inf")

    def allowance(self, queue: str) -> Allowance:
        """What may be added to a queue now."""
        with self._lock:
            if self.is_lost:
                return Allowance(0)
            known = self._queues.get(queue, _Queue())
            length = known.length + known.on_the_way
        if length < self._fill:
            return Allowance(self._fill - length)
        return Allowance(max(0, self._size - length), self._share)

    def sending(self, counts: Mapping[str, int]) -> None:
        """Note messages that are on their way to the queues."""
        with self._lock:
            for name, count in counts.items():
                self._queues.setdefault(name, _Queue()).on_the_way += count

    def sent(self, counts: Mapping[str, int], lengths: Mapping[str, int]) -> None:
        """Note that these messages have arrived, or failed, and how long queues are now."""
        with self._lock:
            for name, count in counts.items():
                self._queues[name].on_the_way -= count
        self.saw(lengths)
