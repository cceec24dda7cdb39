"""Deficit round robin: whose waiting job goes next, so that tenants share by cost.

Tenants take turns. A turn earns a quantum, and a tenant sends jobs for as long as its
balance is above zero; what its last job cost beyond that is a debt, which the
following turns pay off first. (The textbook's algorithm saves up before it sends. Then
the large job of a tenant that sent nothing for hours would wait for as much work of
the others as it is large itself.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

QUANTUM: Final = 64
"""Tokens a turn earns: a few short jobs, so that tenants alternate closely."""
_MOST_DEBTORS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that waits to be published, and what it costs in tokens (≥ 1)."""

    id: str
    cost: int


class DeficitRoundRobin:
    """The turns of one queue. Remembers between calls whose turn it is and who owes.

    A tenant whose jobs have run out is not owed anything, but its debt stays: rounds
    that it misses pay it off, so sending one large job at a time gains nothing.
    """

    def __init__(self, quantum: int = QUANTUM) -> None:
        self._quantum = quantum
        self._round = 0.0
        self._debts: dict[str, tuple[float, float]] = {}  # tenant: debt, and the round it is of
        self._left = 0.0
        self.place = ""
        """Tenant that had the last turn."""

    @property
    def cut_short(self) -> bool:
        """Whether that turn is not over: there was no more room. It goes on first."""
        return self._left > 0

    def choose(self, waiting: Mapping[str, Iterator[Waiting]], room: int) -> list[Waiting]:
        """Choose up to ``room`` jobs, in the order in which they should be sent.

        ``waiting`` gives each tenant's jobs, oldest first, and the tenants in the order
        of their turns: from :attr:`place` on if its turn was :attr:`cut_short`, else
        from the next. No more is read from an iterator than is chosen, but for one that
        ends. There is room left only where nothing waits any more.

        >>> turns = DeficitRoundRobin(quantum=4)
        >>> def jobs(name, cost, count):
        ...     return iter([Waiting(f"{name}{n}", cost) for n in range(count)])
        >>> chosen = turns.choose({"a": jobs("a", 2, 9), "b": jobs("b", 6, 9)}, 9)
        >>> " ".join(job.id for job in chosen)
        'a0 a1 b0 a2 a3 b1 a4 a5 a6'
        """
        ring = deque(waiting.items())
        chosen: list[Waiting] = []
        idle = 0
        while ring and len(chosen) < room:
            tenant, jobs = ring.popleft()
            balance, ended, before = self._begin(tenant), False, len(chosen)
            while balance > 0 and len(chosen) < room and not ended:
                job = next(jobs, None)
                ended = job is None
                if job is not None:
                    chosen.append(job)
                    balance -= job.cost
            self._end(tenant, 0 if ended else balance)
            if not self.cut_short:
                self._round += 1 / (len(ring) + 1)
            if not ended:
                ring.append((tenant, jobs))
            idle = 0 if ended or len(chosen) > before else idle + 1
            if ring and idle == len(ring):
                self._skip_rounds([tenant for tenant, _ in ring])
                idle = 0
        self._bound()
        return chosen

    def _begin(self, tenant: str) -> float:
        """Begin a turn, or go on with one; returns the balance."""
        left, self._left = self._left, 0.0
        if left and tenant == self.place:
            return left
        debt, since = self._debts.pop(tenant, (0.0, self._round))
        earned = self._quantum * (self._round - since) if debt else self._quantum
        return min(self._quantum, earned - debt)

    def _end(self, tenant: str, balance: float) -> None:
        self.place = tenant
        if balance < 0:
            self._debts[tenant] = (-balance, self._round)
        else:
            self._left = balance

    def _skip_rounds(self, ring: Sequence[str]) -> None:
        """Let rounds pass in which everybody would only pay off debts."""
        debts = [self._debts.get(tenant, (0.0, self._round)) for tenant in ring]
        paid_in = min(debt / self._quantum - (self._round - since) for debt, since in debts)
        self._round += max(0.0, paid_in)

    def _bound(self) -> None:
        """Forget debts that are paid by now, so that memory does not grow with past tenants."""
        if len(self._debts) > _MOST_DEBTORS:
            owed = self._quantum
            self._debts = {
                tenant: (debt, since)
                for tenant, (debt, since) in self._debts.items()
                if debt > owed * (self._round - since)
            }
