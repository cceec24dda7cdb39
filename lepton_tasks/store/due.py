"""Due jobs straight from SQL, for workers that no message reaches: the broker is away, or lost it.

A worker takes what it has room for as if it came by messages: shares of the queues by the
weights of their priorities, tenants in turns by cost, published jobs of a tenant first. Like
those of ``backlog.py`` the statements walk the two partial indexes of queued jobs and stop.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, TextClause, select, text

from lepton_tasks.jobs import ClaimedJob
from lepton_tasks.queues import Priority, queue_name
from lepton_tasks.round_robin import DeficitRoundRobin, Waiting
from lepton_tasks.store.claim_statements import claim_statement, claimed, new_claim
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.rowset import bind_rows
from lepton_tasks.transport.quota import plan, weight_of

Queue = tuple[str, Priority]
"""Task and priority."""

_TENANTS: Final = """
WITH RECURSIVE ring(tenant) AS (
  SELECT (SELECT tenant FROM jobs WHERE {of_queue} AND tenant > :after
          ORDER BY tenant, {since} LIMIT 1)
  UNION ALL
  SELECT (SELECT tenant FROM jobs WHERE {of_queue} AND tenant > ring.tenant
          ORDER BY tenant, {since} LIMIT 1)
  FROM ring WHERE ring.tenant IS NOT NULL
)
SELECT tenant, since FROM (
  SELECT ring.tenant, (SELECT {since} FROM jobs WHERE {of_queue} AND jobs.tenant = ring.tenant
                       ORDER BY {since} LIMIT 1) AS since
  FROM ring
) AS heads WHERE since <= :clock LIMIT :most
"""
_JOBS: Final = """
SELECT id, cost, {since} AS since FROM jobs
WHERE {of_queue} AND tenant = :tenant AND {since} <= :clock AND {since} >= :from_since
  AND run_after <= :clock AND ({since} > :from_since OR id > :from_id)
ORDER BY {since}, id LIMIT :most {lock}
"""


@dataclass(slots=True)
class Turns:
    """What one worker remembers between its claims: whose turn it is in which queue."""

    fetches: int = 0
    tenants: defaultdict[str, DeficitRoundRobin] = field(
        default_factory=lambda: defaultdict(DeficitRoundRobin)
    )


@dataclass(frozen=True, slots=True)
class _Half:
    """The published or the unpublished ones of the queued jobs: they have an index each."""

    tenants: TextClause
    jobs: TextClause

    @classmethod
    def of(cls, condition: str, since: str, lock: str) -> _Half:
        of_queue = f"state = 'queued' AND {condition} AND task = :task AND priority = :priority"
        parts = {"of_queue": of_queue, "since": since, "lock": lock}
        return cls(text(_TENANTS.format(**parts)), text(_JOBS.format(**parts)))


class DueStore:
    """Queued jobs whose time has come."""

    def __init__(self, database: Database) -> None:
        self._database = database
        lock = "FOR UPDATE SKIP LOCKED" if database.dialect == "postgresql" else ""
        self._halves = (
            _Half.of("published_at IS NOT NULL", "published_at", lock),
            _Half.of("published_at IS NULL", "run_after", lock),
        )
        self._claim_statement = claim_statement(database.dialect)

    def claim(
        self,
        worker_id: str,
        queues: Sequence[Queue],
        limit: int,
        turns: Turns,
        older_than: float = 0.0,
    ) -> list[ClaimedJob]:
        """Take up to ``limit`` jobs that have been due for ``older_than`` seconds or more.

        For a job that is published they are counted from its publishing. Each queue gets
        its share, then the most urgent ones what is left. Several workers take different
        jobs; a job whose message comes later is claimed once all the same.

        Raises:
            StoreUnavailable: the database cannot be used.
        """
        if not self.oldest(queues, older_than):
            return []  # without a write transaction, which SQLite has one of at a time
        return self._database.transact(
            lambda connection: self._claim(
                connection, worker_id, queues, limit, turns, _clock(connection) - older_than
            ),
            durable=False,
        )

    def oldest(self, queues: Sequence[Queue], older_than: float = 0.0) -> dict[Queue, float]:
        """Seconds for which the oldest due job has waited, by queue; no entry without one.

        Those that have been due for less than ``older_than`` seconds are left out. For a
        published job they are counted from its publishing.
        """
        with self._database.read() as connection:
            clock = _clock(connection)
            found: dict[Queue, float] = {}
            for queue in queues:
                heads = self._heads(connection, queue, clock - older_than)
                if heads:
                    found[queue] = max(0.0, clock - min(heads))
        return found

    def _heads(self, connection: Connection, queue: Queue, clock: float) -> list[float]:
        parameters = _of(queue) | {"clock": clock, "after": "", "most": 1_000_000}
        return [
            row.since
            for half in self._halves
            for row in connection.execute(half.tenants, parameters)
        ]

    def _claim(
        self,
        connection: Connection,
        worker_id: str,
        queues: Sequence[Queue],
        limit: int,
        turns: Turns,
        clock: float,
    ) -> list[ClaimedJob]:
        urgent_first = sorted(queues, key=lambda queue: queue[1].rank)
        waiting = [
            queue for queue in urgent_first if self._tenants(connection, queue, clock, "", 1)
        ]
        weights = [weight_of(queue_name(*queue)) for queue in waiting]
        turns.fetches += 1
        shares = plan([limit] * len(waiting), weights, limit, turns.fetches)
        claim = new_claim(worker_id)
        taken: list[ClaimedJob] = []

        def take(queue: Queue, most: int) -> int:
            turn = turns.tenants[queue_name(*queue)]
            chosen = self._choose(connection, queue, clock, turn, most)
            if chosen:
                wanted = {"wanted": bind_rows((job.id,) for job in chosen)}
                rows = connection.execute(self._claim_statement, wanted | claim).all()
                order = {job.id: place for place, job in enumerate(chosen)}
                taken.extend(claimed(row) for row in sorted(rows, key=lambda row: order[row.id]))
            return len(chosen)

        full = [
            queue
            for queue, share in zip(waiting, shares, strict=True)
            if share == 0 or take(queue, share) == share
        ]
        for queue in full:
            if len(taken) < limit:
                take(queue, limit - len(taken))
        return taken

    def _choose(
        self,
        connection: Connection,
        queue: Queue,
        clock: float,
        turns: DeficitRoundRobin,
        most: int,
    ) -> list[Waiting]:
        tenants = self._tenants(connection, queue, clock, turns.place, most, turns.cut_short)
        page = most // max(1, len(tenants)) + 1
        waiting = {one: self._jobs(connection, queue, one, clock, page) for one in tenants}
        return turns.choose(waiting, most)

    def _tenants(
        self,
        connection: Connection,
        queue: Queue,
        clock: float,
        place: str,
        most: int,
        inclusive: bool = False,
    ) -> list[str]:
        """Tenants with due jobs, in a ring that begins after ``place``, or at it."""
        found: set[str] = set()
        for half in self._halves:
            for after in dict.fromkeys((place, "")):
                parameters = _of(queue) | {"clock": clock, "after": after, "most": most}
                found.update(row.tenant for row in connection.execute(half.tenants, parameters))

        def turn(tenant: str) -> tuple[bool, str]:
            return (tenant < place or (tenant == place and not inclusive), tenant)

        return sorted(found, key=turn)[:most]

    def _jobs(
        self, connection: Connection, queue: Queue, tenant: str, clock: float, page: int
    ) -> Iterator[Waiting]:
        of_tenant = _of(queue) | {"tenant": tenant, "clock": clock, "most": page}
        return chain.from_iterable(
            _pages(connection, half.jobs, of_tenant) for half in self._halves
        )


def _pages(
    connection: Connection, statement: TextClause, parameters: dict[str, Any]
) -> Iterator[Waiting]:
    place: dict[str, Any] = {"from_since": 0.0, "from_id": ""}
    while True:
        rows = connection.execute(statement, parameters | place).all()
        yield from (Waiting(row.id, row.cost) for row in rows)
        if len(rows) < parameters["most"]:
            return
        place = {"from_since": rows[-1].since, "from_id": rows[-1].id}


def _of(queue: Queue) -> dict[str, Any]:
    return {"task": queue[0], "priority": str(queue[1])}


def _clock(connection: Connection) -> float:
    clock: float = connection.execute(select(now())).scalar_one()
    return clock
