"""The choice of the next micro-batch: pure, no clock, no locks, no I/O."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

WEIGHTS: Final = (16.0, 4.0, 1.0)
"""Share of the device by rank while all priorities have work, most urgent first."""


@dataclass(eq=False, slots=True)
class _Entry(Generic[T]):
    """A waiting item."""

    length: int
    arrival: int
    item: T
    tenant: str
    lane: Hashable
    taken: bool = False

    @property
    def key(self) -> tuple[int, int, _Entry[T]]:
        """Its element in a lane. Arrivals differ, so entries are never compared."""
        return self.length, self.arrival, self


Budget = Callable[[Any], int]
"""Padded tokens that a micro-batch of a lane may hold."""
_Lane = list[tuple[int, int, _Entry[T]]]
"""Waiting items of one class and lane, sorted by length, then arrival."""


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
    by_length: dict[Hashable, _Lane[T]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """What may run next, shortest first; it waits all the same until it is removed.

    ``padded`` is the tokens of its rectangle. ``full`` says that no other item could join.
    """

    entries: Sequence[_Entry[T]]
    rank: int
    padded: int
    full: bool

    @property
    def items(self) -> list[T]:
        """The items themselves."""
        return [entry.item for entry in self.entries]


class Batcher(Generic[T]):
    """Waiting items, and which of them run next.

    Which item leads the micro-batch is decided in this order:

    1. priority: the most urgent class goes first until it has had its weighted share
       and one budget more (the largest of the lanes that wait) than a less urgent class
       that waits; so urgent work never queues behind bulk, and bulk always gets its
       share (start-time fair queueing, Goyal et al. 1996, with a slack of one budget);
    2. tenant: of that class the tenant that has had the fewest tokens;
    3. deadline: of that tenant the earliest deadline, then the oldest.

    The leader takes along the items of its class and lane nearest to it in length,
    whoever sent them, while the padded rectangle (longest item times count) stays
    within the budget. A micro-batch never mixes lanes or priorities.

    >>> batcher = Batcher[str]()
    >>> for word in ("a", "bb", "ccc", "dddd" * 10):
    ...     batcher.add(word, length=len(word), rank=1, lane="m")
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
        lane: Hashable,
        tenant: str = "",
        deadline: float | None = None,
    ) -> None:
        """Let ``item`` wait.

        ``length`` is its tokens, ``rank`` 0 the most urgent, ``deadline`` any clock's
        seconds as long as it is the same for all.
        """
        self._arrivals += 1
        entry = _Entry(max(1, length), self._arrivals, item, tenant, lane)
        own = self._classes[rank]
        if not own.tenants:
            own.served = max(own.served, self._least_served())
        if tenant not in own.tenants:
            others = [other.served for other in own.tenants.values()]
            own.tenants[tenant] = _Tenant(min(others, default=0.0))
        line = own.tenants[tenant]
        heapq.heappush(line.waiting, (deadline or math.inf, entry.arrival, entry))
        line.size += 1
        insort(own.by_length.setdefault(lane, []), entry.key)
        self._size += 1

    def take(self, budget: int) -> list[T]:
        """Remove and return the next micro-batch, shortest first; empty if nothing waits.

        An item longer than the budget runs alone rather than never.
        """
        choice = self.choose(lambda lane: budget)
        if choice is None:
            return []
        self.remove(choice)
        return choice.items

    def choose(self, budget: Budget) -> Choice[T] | None:
        """Return what :meth:`take` would, and leave it waiting; None if nothing waits."""
        rank = self._next_rank(budget)
        if rank is None:
            return None
        own = self._classes[rank]
        leader = min(own.tenants.values(), key=lambda line: (line.served, line.first().arrival))
        anchor = leader.first()
        lane = own.by_length[anchor.lane]
        most = budget(anchor.lane)
        start, stop = _similar(lane, anchor, most)
        chosen = [entry for _, _, entry in lane[start:stop]]
        longest = chosen[-1].length
        full = longest * (len(chosen) + 1) > most
        return Choice(chosen, rank, longest * len(chosen), full)

    def still_next(self, choice: Choice[T], budget: Budget) -> bool:
        """Whether an earlier choice is as good as a new one.

        It is not where more urgent work came, the budget fell, or another item that
        waits now could join it.

        >>> batcher = Batcher[str]()
        >>> batcher.add("bulk", length=4, rank=2, lane="m")
        >>> batcher.add("bulk too", length=4, rank=2, lane="m")
        >>> choice = batcher.choose(lambda lane: 9)
        >>> [batcher.still_next(choice, lambda lane: most) for most in (9, 3)]
        [True, False]
        >>> batcher.add("urgent", length=4, rank=0, lane="m")
        >>> batcher.still_next(choice, lambda lane: 9)
        False
        """
        if choice.rank != self._next_rank(budget) or any(one.taken for one in choice.entries):
            return False
        if len(choice.entries) > 1 and choice.padded > budget(choice.entries[0].lane):
            return False
        lane = self._classes[choice.rank].by_length[choice.entries[0].lane]
        return choice.full if len(lane) > len(choice.entries) else True

    def remove(self, choice: Choice[T]) -> None:
        """Take a choice whose items all still wait; its tokens count as served."""
        own = self._classes[choice.rank]
        key = choice.entries[0].lane
        lane = own.by_length[key]
        start = bisect_left(lane, choice.entries[0].key)
        stop = start + len(choice.entries)
        if stop <= len(lane) and lane[stop - 1][2] is choice.entries[-1]:
            del lane[start:stop]
        else:  # others have come in between
            for entry in choice.entries:
                del lane[bisect_left(lane, entry.key)]
        if not lane:
            del own.by_length[key]
        own.served += choice.padded / self._weights[choice.rank]
        share = choice.padded / len(choice.entries)
        for entry in choice.entries:
            entry.taken = True
            line = own.tenants[entry.tenant]
            line.served += share
            line.size -= 1
            if not line.size:
                del own.tenants[entry.tenant]
        self._size -= len(choice.entries)

    def drain(self) -> Iterator[T]:
        """Remove and yield everything."""
        for own in self._classes:
            for lane in own.by_length.values():
                yield from (entry.item for _, _, entry in lane)
            own.tenants.clear()
            own.by_length.clear()
        self._size = 0

    def _least_served(self) -> float:
        return min((own.served for own in self._classes if own.tenants), default=0.0)

    def _next_rank(self, budget: Budget) -> int | None:
        lanes = {lane for own in self._classes for lane in own.by_length}
        limit = self._least_served() + max(map(budget, lanes), default=0)
        for rank, own in enumerate(self._classes):
            if own.tenants and own.served <= limit:
                return rank
        return None


def _similar(lane: _Lane[T], anchor: _Entry[T], budget: int) -> tuple[int, int]:
    """Widest-fitting slice of ``lane`` around ``anchor``.

    Grows towards the neighbour that wastes fewer padded tokens: a shorter one wastes
    its difference to the longest, a longer one makes all others waste the difference.
    """
    start = bisect_left(lane, anchor.key)
    stop = start + 1
    longest = anchor.length
    while True:
        count = stop - start + 1
        shorter = start > 0 and longest * count <= budget
        longer = stop < len(lane) and lane[stop][0] * count <= budget
        if not shorter and not longer:
            return start, stop
        waste_below = longest - lane[start - 1][0] if shorter else None
        waste_above = (lane[stop][0] - longest) * (count - 1) if longer else None
        if waste_above is None or (waste_below is not None and waste_below <= waste_above):
            start -= 1
        else:
            longest = lane[stop][0]
            stop += 1
