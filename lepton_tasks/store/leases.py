"""Worker leases on the database's clock, and the locks of periodic work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lepton_tasks.in_work import InWork
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.tables import LockRow, WorkerRow

workers = WorkerRow.__table__  # type: ignore[attr-defined]
locks = LockRow.__table__  # type: ignore[attr-defined]

_NOTHING = InWork({})
_CLOCK_SLACK = 1.0


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """A worker whose lease holds."""

    id: str
    hostname: str
    tasks: tuple[str, ...]


class LeaseStore:
    """Who is alive, and who does the periodic work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, worker_id: str, hostname: str, tasks: Sequence[str], seconds: float) -> None:
        """Begin a lease of ``seconds`` for a worker process, or another after one was lost."""
        dialect = postgresql if self._database.dialect == "postgresql" else sqlite
        lease = {"lease_until": now() + seconds, "in_work": None}
        fresh = dialect.insert(workers).values(
            id=worker_id, hostname=hostname, tasks=",".join(tasks), started_at=now(), **lease
        )
        with self._database.write() as connection:
            connection.execute(fresh.on_conflict_do_update(index_elements=["id"], set_=lease))

    def renew(self, worker_id: str, seconds: float) -> bool:
        """Extend a lease; False means that it has ended, and what the worker ran may be lost."""
        with self._database.write(durable=False) as connection:
            renewed = connection.execute(
                update(workers)
                .where(workers.c.id == worker_id, workers.c.lease_until > now())
                .values(lease_until=now() + seconds)
                .returning(workers.c.id)
            ).first()
        return renewed is not None

    def end(self, worker_id: str, in_work: InWork = _NOTHING) -> None:
        """End a lease at once: the worker is gone, its jobs and its locks are free.

        ``in_work`` is what it was at when it died; nothing for one that has drained.
        """
        with self._database.write() as connection:
            connection.execute(
                update(workers)
                .where(workers.c.id == worker_id)
                .values(lease_until=now(), in_work=in_work.dump())
            )
            connection.execute(update(locks).where(locks.c.holder == worker_id).values(until=now()))

    def end_host(self, hostname: str) -> None:
        """End every lease of a node name: its process is known to be dead, not what it was at."""
        theirs = select(workers.c.id).where(workers.c.hostname == hostname)
        with self._database.write() as connection:
            connection.execute(
                update(workers)
                .where(workers.c.hostname == hostname, workers.c.lease_until > now())
                .values(lease_until=now())
            )
            connection.execute(update(locks).where(locks.c.holder.in_(theirs)).values(until=now()))

    def alive(self) -> list[LiveWorker]:
        """Workers whose lease holds."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(workers.c.id, workers.c.hostname, workers.c.tasks)
                .where(workers.c.lease_until > now())
                .order_by(workers.c.started_at)
            ).all()
        return [LiveWorker(row.id, row.hostname, tuple(row.tasks.split(","))) for row in rows]

    def hold(self, name: str, holder: str, seconds: float) -> bool:
        """Take or keep a named lock for ``seconds``; False while another holds it.

        One that would be held for longer than that was taken before the clock went back,
        and counts as free.
        """
        dialect = postgresql if self._database.dialect == "postgresql" else sqlite

        def work(connection: Connection) -> bool:
            fresh = dialect.insert(locks).values(name=name, holder=holder, until=now() + seconds)
            statement = fresh.on_conflict_do_update(
                index_elements=["name"],
                set_={"holder": holder, "until": now() + seconds},
                where=(locks.c.holder == holder)
                | (locks.c.until <= now())
                | (locks.c.until > now() + seconds + _CLOCK_SLACK),
            ).returning(locks.c.name)
            return connection.execute(statement).first() is not None

        return self._database.transact(work, durable=False)
