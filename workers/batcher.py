"""The choice of the next micro-batch: pure, no clock, no locks, no I/O."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, insort
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

T = TypeVar("T")

WEIGHTS: Final = (16.0, 4.0, 1.0)
"""Share of the device by rank while all priorities have work, most urgent first."""


@dataclass(order=True, slots=True)
class _Entry(Generic[T]):
    """A waiting item, ordered by length for the sorted lane."""

    length: int
    arrival: int
    item: T = field(compare=False)
    tenant: str = field(compare=False)
    engine: Hashable = field(compare=False)
    taken: bool = field(default=False, compare=False)


@dataclass(slots=True)
class _Tenant(Generic[T]):
    """A tenant's waiting items of one priority, earliest deadline first, then oldest.

    ``served`` is the tokens it has had, in the virtual time of its priority. An
    entry that left with another's micro-batch stays in the heap until it surfaces.
    """

    served: float
    waiting: list[tuple[float, int, _Entry[T]]] = field(default_factory=list)
    size: int = 0

    def first(self) -> _Entry[T]:
        while self.waiting[0][2].taken:
            heapq.heappop(self.waiting)
        return self.waiting[0][2]


@dataclass(slots=True)
class _Class(Generic[T]):
    """All waiting items of one priority. ``served`` is tokens divided by its weight."""

    served: float = 0.0
    tenants: dict[str, _Tenant[T]] = field(default_factory=dict)
    by_length: dict[Hashable, list[_Entry[T]]] = field(default_factory=dict)


class Batcher(Generic[T]):
    """Waiting items, and which of them run next.

    Which item leads the micro-batch is decided in this order:

    1. priority: the most urgent class goes first until it has had its weighted share
       and one budget more than a less urgent class that waits; so urgent work never
       queues behind bulk, and bulk always gets its share (start-time fair queueing,
       Goyal et al. 1996, with a slack of one budget);
    2. tenant: of that class the tenant that has had the fewest tokens;
    3. deadline: of that tenant the earliest deadline, then the oldest.

    The leader takes along the items of its class and engine nearest to it in length,
    whoever sent them, while the padded rectangle (longest item times count) stays
    within the budget. A micro-batch never mixes engines or priorities.

    >>> batcher = Batcher[str]()
    >>> for word in ("a", "bb", "ccc", "dddd" * 10):
    ...     batcher.add(word, length=len(word), rank=1, engine="m")
    >>> batcher.take(budget=9)
    ['a', 'bb', 'ccc']
    >>> batcher.take(budget=9)[0][:4]
    'dddd'
    >>> batcher.take(budget=9)
    []
    """

    def __init__(self, weights: tuple[float, ...] = WEIGHTS) -> None:
        self._weights = weights
        self._classes: list[_Class[T]] = [_Class() for _ in weights]
        self._arrivals = 0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def has(self, rank: int) -> bool:
        """Whether any item of ``rank`` waits."""
        return bool(self._classes[rank].tenants)

    def add(
        self,
        item: T,
        *,
        length: int,
        rank: int,
        engine: Hashable,
        tenant: str = "",
        deadline: float | None = None,
    ) -> None:
        """Let ``item`` wait.

        ``length`` is its tokens, ``rank`` 0 the most urgent, ``deadline`` any clock's
        seconds as long as it is the same for all.
        """
        self._arrivals += 1
        entry = _Entry(max(1, length), self._arrivals, item, tenant, engine)
        own = self._classes[rank]
        if not own.tenants:
            own.served = max(own.served, self._least_served())
        if tenant not in own.tenants:
            others = [other.served for other in own.tenants.values()]
            own.tenants[tenant] = _Tenant(min(others, default=0.0))
        line = own.tenants[tenant]
        heapq.heappush(line.waiting, (deadline or math.inf, entry.arrival, entry))
        line.size += 1
        insort(own.by_length.setdefault(engine, []), entry)
        self._size += 1

    def take(self, budget: int) -> list[T]:
        """Remove and return the next micro-batch, shortest first; empty if nothing waits.

        An item longer than the budget runs alone rather than never.
        """
        rank = self._next_rank(budget)
        if rank is None:
            return []
        own = self._classes[rank]
        leader = min(own.tenants.values(), key=lambda line: (line.served, line.first().arrival))
        anchor = leader.first()
        lane = own.by_length[anchor.engine]
        start, stop = _similar(lane, anchor, budget)
        chosen = lane[start:stop]
        del lane[start:stop]
        if not lane:
            del own.by_length[anchor.engine]
        padded = chosen[-1].length
        own.served += padded * len(chosen) / self._weights[rank]
        for entry in chosen:
            entry.taken = True
            line = own.tenants[entry.tenant]
            line.served += padded
            line.size -= 1
            if not line.size:
                del own.tenants[entry.tenant]
        self._size -= len(chosen)
        return [entry.item for entry in chosen]

    def drain(self) -> Iterator[T]:
        """Remove and yield everything."""
        for own in self._classes:
            for lane in own.by_length.values():
                yield from (entry.item for entry in lane)
            own.tenants.clear()
            own.by_length.clear()
        self._size = 0

    def _least_served(self) -> float:
        return min((own.served for own in self._classes if own.tenants), default=0.0)

    def _next_rank(self, slack: int) -> int | None:
        limit = self._least_served() + slack
        for rank, own in enumerate(self._classes):
            if own.tenants and own.served <= limit:
                return rank
        return None


def _similar(entries: list[_Entry[T]], anchor: _Entry[T], budget: int) -> tuple[int, int]:
    """Widest-fitting slice of the sorted ``entries`` around ``anchor``.

    Grows towards the neighbour that wastes fewer padded tokens: a shorter one wastes
    its difference to the longest, a longer one makes all others waste the difference.
    """
    start = bisect_left(entries, anchor)
    stop = start + 1
    longest = anchor.length
    while True:
        count = stop - start + 1
        shorter = start > 0 and longest * count <= budget
        longer = stop < len(entries) and entries[stop].length * count <= budget
        if not shorter and not longer:
            return start, stop
        waste_below = longest - entries[start - 1].length if shorter else None
        waste_above = (entries[stop].length - longest) * (count - 1) if longer else None
        if waste_above is None or (waste_below is not None and waste_below <= waste_above):
            start -= 1
        else:
            longest = entries[stop].length
            stop += 1
