"""What the reconciler asks of the store: unpublished jobs, lost messages, deadlines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Text, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningUpdate

from lepton_tasks.queues import Priority
from lepton_tasks.states import JobState
from lepton_tasks.store.backlog import Backlog, backlog_queues
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.rowset import bind_rows, rowset
from lepton_tasks.store.settle import SETTLED_COLUMNS, settle
from lepton_tasks.store.tables import JobRow, MarkerRow

jobs = JobRow.__table__  # type: ignore[attr-defined]
markers = MarkerRow.__table__  # type: ignore[attr-defined]

_PAGE = 1000
_EXPIRED = '{"code":"expired","message":"the job waited longer than its ttl_seconds"}'


@dataclass(frozen=True, slots=True)
class Thin:
    """A job as its message carries it: no text."""

    id: str
    task: str
    priority: Priority


class OutboxStore:
    """The job rows as an outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._mark_statement = _mark_statement(database.dialect)
        self._forget_statement = _forget_statement(database.dialect)

    def unpublished_queues(self) -> list[tuple[str, Priority]]:
        """Queues, as (task, priority), that have due jobs nobody has published; urgent first."""
        with self._database.read() as connection:
            clock: float = connection.execute(select(now())).scalar_one()
            return [
                (task, priority)
                for task, priority in backlog_queues(connection)
                if Backlog(connection, task, priority, clock).tenants("", False, 1)
            ]

    def backlog_queues(self) -> list[tuple[str, Priority]]:
        """Queues, as (task, priority), with unpublished jobs, due or not; urgent first."""
        with self._database.read() as connection:
            return backlog_queues(connection)

    @contextmanager
    def backlog(self, task: str, priority: Priority) -> Iterator[Backlog]:
        """Look at what waits in a queue; for reading within the block."""
        with self._database.read() as connection:
            clock: float = connection.execute(select(now())).scalar_one()
            yield Backlog(connection, task, priority, clock)

    def mark_published(self, job_ids: Sequence[str]) -> set[str]:
        """Mark jobs as published, and return those that nobody had marked or ended before.

        The caller publishes them next and calls ``unpublish`` if that fails.
        """
        # Lost with the disk's cache it is made again: the job is then published twice.
        rows = self._database.transact(
            lambda connection: connection.execute(
                self._mark_statement, {"wanted": bind_rows((job_id,) for job_id in job_ids)}
            ).all(),
            durable=False,
        )
        return {row.id for row in rows}

    def overdue(self, older_than: float, limit: int) -> list[Thin]:
        """Jobs published at least ``older_than`` seconds ago and not claimed, oldest first."""
        with self._database.read() as connection:
            clock: float = connection.execute(select(now())).scalar_one()
            rows = connection.execute(
                select(jobs.c.id, jobs.c.task, jobs.c.priority)
                .where(*_PUBLISHED, jobs.c.published_at <= clock - older_than)
                .order_by(jobs.c.published_at)
                .limit(limit)
            ).all()
        return [Thin(row.id, row.task, Priority(row.priority)) for row in rows]

    def forget_published(
        self, job_ids: Sequence[str] | None = None, older_than: float = 0.0
    ) -> int:
        """Declare messages lost, of these jobs or of all: they are published again.

        A message that was not lost after all is a duplicate, which claiming drops.
        """
        if job_ids is None:
            total = 0
            while page := self.overdue(older_than, _PAGE):
                total += self.forget_published([job.id for job in page], older_than)
            return total
        parameters = {"wanted": bind_rows((job_id,) for job_id in job_ids)}

        def work(connection: Connection) -> int:
            clock: float = connection.execute(select(now())).scalar_one()
            statement = self._forget_statement.where(jobs.c.published_at <= clock - older_than)
            return len(connection.execute(statement, parameters).all())

        return self._database.transact(work)

    def expire_deadlines(self) -> int:
        """End queued jobs whose deadline has passed; at most a page a call."""
        with self._database.read() as connection:
            clock: float = connection.execute(select(now())).scalar_one()
            # PostgreSQL's clock is volatile: compared with it, the index could not be used.
            late = [_QUEUED, jobs.c.deadline <= clock]
            if connection.execute(select(jobs.c.id).where(*late).limit(1)).first() is None:
                return 0

        def work(connection: Connection) -> int:
            page = select(jobs.c.id).where(*late).order_by(jobs.c.deadline).limit(_PAGE)
            rows = connection.execute(
                update(jobs)
                .where(jobs.c.id.in_(page), *late)
                .values(
                    state=JobState.EXPIRED,
                    finished_at=now(),
                    error=_EXPIRED,
                )
                .returning(*SETTLED_COLUMNS)
            ).all()
            settle(connection, rows)
            return len(rows)

        return self._database.transact(work)

    def marker(self, name: str, value: str) -> str:
        """Read a marker, written as ``value`` where it does not exist yet."""
        dialect = postgresql if self._database.dialect == "postgresql" else sqlite

        def work(connection: Connection) -> str:
            connection.execute(
                dialect.insert(markers)
                .values(name=name, value=value)
                .on_conflict_do_nothing(index_elements=["name"])
            )
            return str(
                connection.execute(
                    select(markers.c.value).where(markers.c.name == name)
                ).scalar_one()
            )

        return self._database.transact(work)


_QUEUED: Final = jobs.c.state == literal_column("'queued'")  # as the partial indexes say it
_UNPUBLISHED: Final = (_QUEUED, jobs.c.published_at.is_(None))
_PUBLISHED: Final = (_QUEUED, jobs.c.published_at.is_not(None))


def _mark_statement(dialect: str) -> ReturningUpdate[Any]:
    wanted = rowset("wanted", dialect, {"id": Text()})
    page = (
        select(jobs.c.id)
        .where(jobs.c.id.in_(select(wanted.c.id)), *_UNPUBLISHED)
        .order_by(jobs.c.id)
        .with_for_update(skip_locked=True)
    )
    return update(jobs).where(jobs.c.id.in_(page)).values(published_at=now()).returning(jobs.c.id)


def _forget_statement(dialect: str) -> ReturningUpdate[Any]:
    wanted = rowset("wanted", dialect, {"id": Text()})
    return (
        update(jobs)
        .where(jobs.c.id.in_(select(wanted.c.id)), *_PUBLISHED)
        .values(published_at=None)
        .returning(jobs.c.id)
    )
