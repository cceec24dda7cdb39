"""What the reconciler asks of the store: unpublished jobs, lost messages, deadlines."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lepton_tasks.queues import Priority
from lepton_tasks.states import JobState
from lepton_tasks.store.database import Database, now
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

    def unpublished_queues(self) -> list[tuple[str, Priority]]:
        """Queues, as (task, priority), that have due jobs nobody has published."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(jobs.c.task, jobs.c.priority)
                .where(*_UNPUBLISHED, jobs.c.run_after <= now())
                .distinct()
            ).all()
        queues = [(row.task, Priority(row.priority)) for row in rows]
        return sorted(queues, key=lambda queue: queue[1].rank)

    def take_unpublished(self, task: str, priority: Priority, limit: int) -> list[Thin]:
        """Mark up to ``limit`` due jobs of a queue as published, oldest first, and return them.

        The caller publishes them next and calls ``unpublish`` if that fails.
        """

        def work(connection: Connection) -> list[Thin]:
            page = (
                select(jobs.c.id)
                .where(
                    *_UNPUBLISHED,
                    jobs.c.run_after <= now(),
                    jobs.c.task == task,
                    jobs.c.priority == priority,
                )
                .order_by(jobs.c.run_after, jobs.c.id)
                .limit(min(limit, _PAGE))
                .with_for_update(skip_locked=True)
                .cte("page")  # evaluated once; as a subquery PostgreSQL may run it again
            )
            rows = connection.execute(
                update(jobs)
                .where(jobs.c.id.in_(select(page.c.id)), *_UNPUBLISHED)
                .values(published_at=now())
                .returning(jobs.c.id)
            ).all()
            return [Thin(row.id, task, priority) for row in sorted(rows, key=lambda row: row.id)]

        return self._database.transact(work)

    def overdue_queues(self, older_than: float) -> list[tuple[str, Priority]]:
        """Queues with jobs published more than ``older_than`` seconds ago and not claimed."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(jobs.c.task, jobs.c.priority)
                .where(jobs.c.state == JobState.QUEUED, jobs.c.published_at < now() - older_than)
                .distinct()
            ).all()
        return [(row.task, Priority(row.priority)) for row in rows]

    def forget_published(
        self, task: str | None = None, priority: Priority | None = None, older_than: float = 0.0
    ) -> int:
        """Declare messages lost, of one queue or of all: their jobs are published again.

        A message that was not lost after all is a duplicate, which claiming drops.
        """
        condition = [jobs.c.state == JobState.QUEUED, jobs.c.published_at <= now() - older_than]
        if task is not None and priority is not None:
            condition += [jobs.c.task == task, jobs.c.priority == priority]

        def page(connection: Connection) -> int:
            some = select(jobs.c.id).where(*condition).limit(_PAGE)
            rows = connection.execute(
                update(jobs)
                .where(jobs.c.id.in_(some), *condition)
                .values(published_at=None)
                .returning(jobs.c.id)
            ).all()
            return len(rows)

        total = 0
        while (changed := self._database.transact(page)) > 0:
            total += changed
        return total

    def expire_deadlines(self) -> int:
        """End queued jobs whose deadline has passed; at most a page a call."""

        def work(connection: Connection) -> int:
            late = [jobs.c.state == JobState.QUEUED, jobs.c.deadline <= now()]
            page = select(jobs.c.id).where(*late).limit(_PAGE)
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

    def has_published(self) -> bool:
        """Whether any message should be in Redis or on its way to a claim."""
        with self._database.read() as connection:
            return bool(
                connection.execute(
                    select(
                        exists().where(
                            jobs.c.state == JobState.QUEUED, jobs.c.published_at.is_not(None)
                        )
                    )
                ).scalar()
            )

    def oldest_queued_age(self) -> float:
        """Seconds that the oldest due job has waited; 0 with an empty backlog."""
        with self._database.read() as connection:
            age = connection.execute(
                select(func.max(now() - jobs.c.run_after)).where(
                    jobs.c.state == JobState.QUEUED, jobs.c.run_after <= now()
                )
            ).scalar()
        return max(0.0, age or 0.0)

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


_UNPUBLISHED = (jobs.c.state == JobState.QUEUED, jobs.c.published_at.is_(None))
