"""Worker leases on the database's clock, and the locks of periodic work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lepton_tasks.states import JobState
from lepton_tasks.store.claims import REQUEUED
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.tables import JobRow, LockRow, WorkerRow

jobs = JobRow.__table__  # type: ignore[attr-defined]
workers = WorkerRow.__table__  # type: ignore[attr-defined]
locks = LockRow.__table__  # type: ignore[attr-defined]


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
        """Begin a lease of ``seconds`` for a new worker process."""
        with self._database.write() as connection:
            connection.execute(
                workers.insert().values(
                    id=worker_id,
                    hostname=hostname,
                    tasks=",".join(tasks),
                    started_at=now(),
                    lease_until=now() + seconds,
                )
            )

    def renew(self, worker_id: str, seconds: float) -> bool:
        """Extend a lease; False means that it was lost, with all that the worker ran."""
        with self._database.write(durable=False) as connection:
            renewed = connection.execute(
                update(workers)
                .where(workers.c.id == worker_id)
                .values(lease_until=now() + seconds)
                .returning(workers.c.id)
            ).first()
        return renewed is not None

    def end(self, worker_id: str) -> None:
        """End a lease at once: the worker is gone, its jobs are free."""
        with self._database.write() as connection:
            connection.execute(
                update(workers).where(workers.c.id == worker_id).values(lease_until=now())
            )

    def end_host(self, hostname: str) -> None:
        """End every lease of a node name: its process is known to be dead."""
        with self._database.write() as connection:
            connection.execute(
                update(workers).where(workers.c.hostname == hostname).values(lease_until=now())
            )

    def alive(self) -> list[LiveWorker]:
        """Workers whose lease holds."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(workers.c.id, workers.c.hostname, workers.c.tasks)
                .where(workers.c.lease_until > now())
                .order_by(workers.c.started_at)
            ).all()
        return [LiveWorker(row.id, row.hostname, tuple(row.tasks.split(","))) for row in rows]

    def expire(self) -> int:
        """Take the jobs of silent workers back into the queue.

        The lease is checked again inside the UPDATE, so a worker that renewed in
        between keeps its jobs.

        Returns:
            Jobs that were taken back.
        """

        def work(connection: Connection) -> int:
            silent = select(workers.c.id).where(workers.c.lease_until <= now())
            freed = connection.execute(
                update(jobs)
                .where(jobs.c.state == JobState.RUNNING, jobs.c.worker_id.in_(silent))
                .values(**REQUEUED)
                .returning(jobs.c.id)
            ).all()
            busy = select(jobs.c.worker_id).where(
                jobs.c.state == JobState.RUNNING, jobs.c.worker_id.is_not(None)
            )
            connection.execute(
                delete(workers).where(workers.c.lease_until <= now(), workers.c.id.not_in(busy))
            )
            return len(freed)

        return self._database.transact(work)

    def hold(self, name: str, holder: str, seconds: float) -> bool:
        """Take or keep a named lock for ``seconds``; False while another holds it."""
        dialect = postgresql if self._database.dialect == "postgresql" else sqlite

        def work(connection: Connection) -> bool:
            fresh = dialect.insert(locks).values(name=name, holder=holder, until=now() + seconds)
            statement = fresh.on_conflict_do_update(
                index_elements=["name"],
                set_={"holder": holder, "until": now() + seconds},
                where=(locks.c.holder == holder) | (locks.c.until <= now()),
            ).returning(locks.c.name)
            return connection.execute(statement).first() is not None

        return self._database.transact(work, durable=False)
