"""Requests that do not fit yet, and which of them comes next: pure, no clock, no locks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from workers.batcher import WEIGHTS

T = TypeVar("T")

MOST_PASSED: Final = 16
"""How often others may be let in before a request that is too large for the room there is."""


@dataclass(slots=True)
class _Entry(Generic[T]):
    key: str
    item: T
    size: int
    rank: int
    tenant: str
    arrival: int
    passed: int = 0


class Waiting(Generic[T]):
    """A bounded number of requests, in the order in which they are let in.

    The order is: the most urgent rank, unless it is more than ``slack`` tokens ahead of its
    weighted share and others wait; the tenant that has had the fewest tokens of that rank;
    the earliest arrival. A request that is too large for the room there is may be
    passed by smaller ones, but only ``MOST_PASSED`` times: then all wait until it
    fits, so that everybody's wait is bounded.

    >>> waiting = Waiting(slack=100)
    >>> for name, size, rank in (("long", 90, 1), ("short", 10, 1), ("urgent", 20, 0)):
    ...     waiting.add(name, name, size=size, rank=rank, tenant="a")
    >>> fits = lambda size: size <= 50
    >>> waiting.take(fits), waiting.take(fits), waiting.take(fits), len(waiting)
    ('urgent', 'short', None, 1)
    """

    def __init__(self, slack: int) -> None:
        self._slack = slack
        self._entries: dict[str, _Entry[T]] = {}
        self._arrivals = 0
        self._shares = [0.0] * len(WEIGHTS)
        self._tenants: dict[tuple[int, str], int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def add(self, key: str, item: T, *, size: int, rank: int, tenant: str) -> None:
        """Let ``item`` wait. ``size`` is the tokens it will occupy, ``key`` is its own.

        Who waits for the first time begins where the least served of the others are:
        nobody saves up a share while away.
        """
        self._arrivals += 1
        if not any(entry.rank == rank for entry in self._entries.values()):
            self._shares[rank] = max(self._shares[rank], self._least_share())
        if (rank, tenant) not in self._tenants:
            others = [had for (of_rank, _), had in self._tenants.items() if of_rank == rank]
            self._tenants[rank, tenant] = min(others, default=0)
        self._entries[key] = _Entry(key, item, size, rank, tenant, self._arrivals)

    def take(self, fits: Callable[[int], bool]) -> T | None:
        """Remove and return the next request whose size ``fits``; None where none may enter."""
        passed: list[_Entry[T]] = []
        for entry in self._order():
            if fits(entry.size):
                for other in passed:
                    other.passed += 1
                self._shares[entry.rank] += entry.size / WEIGHTS[entry.rank]
                self._tenants[entry.rank, entry.tenant] += entry.size
                self._forget(entry)
                return entry.item
            if entry.passed >= MOST_PASSED:
                return None
            passed.append(entry)
        return None

    def remove(self, key: str) -> T | None:
        """Remove and return the request of that key, None if it does not wait."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._forget(entry)
        return entry.item

    def drain(self) -> Iterator[T]:
        """Remove and yield all, in no particular order."""
        for entry in list(self._entries.values()):
            self._forget(entry)
            yield entry.item

    def _order(self) -> list[_Entry[T]]:
        limit = self._least_share() + self._slack
        return sorted(
            self._entries.values(),
            key=lambda entry: (
                self._shares[entry.rank] > limit,
                entry.rank,
                self._tenants[entry.rank, entry.tenant],
                entry.arrival,
            ),
        )

    def _least_share(self) -> float:
        return min((self._shares[entry.rank] for entry in self._entries.values()), default=0.0)

    def _forget(self, entry: _Entry[T]) -> None:
        del self._entries[entry.key]
        tenant = (entry.rank, entry.tenant)
        if not any((other.rank, other.tenant) == tenant for other in self._entries.values()):
            del self._tenants[tenant]
