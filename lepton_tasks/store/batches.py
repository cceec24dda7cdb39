"""Bulk files: a row that counts its shards' items as they finish."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, Row, func, select, update

from lepton_tasks.errors import NotFound
from lepton_tasks.queues import Priority
from lepton_tasks.states import WAITING, BatchState, JobState, batch_sources
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.paging import newest_first
from lepton_tasks.store.settle import (
    BATCH_COLUMNS,
    SETTLED_COLUMNS,
    complete_batches,
    settle,
    tell_of_batch,
)
from lepton_tasks.store.tables import JobRow

batches = BatchRow.__table__  # type: ignore[attr-defined]
jobs = JobRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Batch:
    """A stored batch as its tenant may see it."""

    id: str
    tenant: str
    task: str
    priority: Priority
    state: BatchState
    source: str
    sealed: bool
    total_items: int
    done_items: int
    failed_items: int
    metadata: Mapping[str, str]
    created_at: float
    finished_at: float | None
    endpoint: str = ""
    """Path that each line asks; empty where a command reads the file. What follows is of a
    batch with one alone."""
    model: str | None = None
    """The one that all lines name, once they were read."""
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    completion_window: str | None = None
    output_seconds: float | None = None
    expires_at: float | None = None
    in_progress_at: float | None = None
    finalizing_at: float | None = None
    cancelling_at: float | None = None
    errors: Sequence[Mapping[str, Any]] | None = None
    """What was wrong with its file: ``code``, ``line``, ``message``, ``param`` each."""
    usage: Mapping[str, int] | None = None
    total_lines: int = 0
    completed_lines: int = 0
    failed_lines: int = 0
    output_bytes: int = 0
    error_bytes: int = 0

    @property
    def lines(self) -> tuple[int, int, int]:
        """Lines in all, completed and failed; in all is 0 until the last one is known."""
        if self.endpoint:
            return self.total_lines, self.completed_lines, self.failed_lines
        return self.total_items, self.done_items - self.failed_items, self.failed_items


class Written(NamedTuple):
    """How far a batch has come, for whoever waits for its lines."""

    state: str
    output_bytes: int
    error_bytes: int


class BatchStore:
    """Batches of a tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        tenant: str,
        batch_id: str,
        task: str,
        priority: Priority,
        source: str,
        webhook: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Open a batch; shards are submitted with its id until it is sealed."""
        with self._database.write() as connection:
            connection.execute(
                batches.insert().values(
                    id=batch_id,
                    tenant=tenant,
                    task=task,
                    priority=priority,
                    state=BatchState.IN_PROGRESS,
                    source=source,
                    sealed=False,
                    total_items=0,
                    done_items=0,
                    failed_items=0,
                    webhook=webhook,
                    metadata=orjson.dumps(dict(metadata or {})).decode(),
                    created_at=now(),
                )
            )

    def get(self, tenant: str, batch_id: str) -> Batch:
        """Read a batch.

        Raises:
            NotFound: the tenant has no such batch.
        """
        with self._database.read() as connection:
            row = connection.execute(
                select(*SHOWN).where(batches.c.tenant == tenant, batches.c.id == batch_id)
            ).first()
        if row is None:
            raise NotFound(f"no batch {batch_id}")
        return view(row)

    def page(self, tenant: str, *, after: str | None = None, limit: int = 20) -> list[Batch]:
        """Page through a tenant's batches, newest first, beginning after the batch ``after``.

        Raises:
            NotFound: ``after`` is no batch of this tenant.
        """
        mine = select(*SHOWN).where(batches.c.tenant == tenant)
        with self._database.read() as connection:
            last = None
            if after is not None:
                last = connection.execute(mine.where(batches.c.id == after)).first()
                if last is None:
                    raise NotFound(f"no batch {after} to continue after")
            rows = connection.execute(newest_first(mine, batches, last, limit)).all()
        return [view(row) for row in rows]

    def written(self, batch_ids: Collection[str]) -> dict[str, Written]:
        """How far batches have come, of any tenant, by their ids; those that are gone are not."""
        query = select(*(batches.c[name] for name in ("id", *Written._fields))).where(
            batches.c.id.in_(batch_ids)
        )
        with self._database.read() as connection:
            return {row.id: Written(*row[1:]) for row in connection.execute(query)}

    def next_ordinal(self, tenant: str, batch_id: str) -> int:
        """Ordinal of the first shard that was never submitted."""
        with self._database.read() as connection:
            last = connection.execute(
                select(func.max(jobs.c.ordinal)).where(
                    jobs.c.tenant == tenant, jobs.c.batch_id == batch_id
                )
            ).scalar()
        return 0 if last is None else int(last) + 1

    def seal(self, tenant: str, batch_id: str, total_items: int, refused_items: int = 0) -> None:
        """Declare the last line submitted; the batch completes once all are done.

        ``refused_items`` of the total never became items of a job; they count as done
        and failed. A sealed batch stays as it is.
        """

        def work(connection: Connection) -> None:
            connection.execute(
                update(batches)
                .where(
                    batches.c.tenant == tenant,
                    batches.c.id == batch_id,
                    batches.c.sealed.is_(False),
                )
                .values(
                    sealed=True,
                    total_items=total_items,
                    done_items=batches.c.done_items + refused_items,
                    failed_items=batches.c.failed_items + refused_items,
                )
            )
            complete_batches(connection, [batch_id])

        self._database.transact(work)

    def cancel(self, tenant: str, batch_id: str) -> None:
        """Cancel a batch and its shards that wait; running ones are flagged.

        One with an endpoint is then cancelling until its runner has written what is done.
        One that has ended, or is about to, stays as it is.
        """

        def work(connection: Connection) -> None:
            mine = (batches.c.tenant == tenant, batches.c.id == batch_id)
            cancelling = connection.execute(
                update(batches)
                .where(
                    *mine,
                    batches.c.endpoint != "",
                    batches.c.state.in_(batch_sources(BatchState.CANCELLING)),
                )
                .values(state=BatchState.CANCELLING, cancelling_at=now())
            ).rowcount
            cancelled = connection.execute(
                update(batches)
                .where(*mine, batches.c.endpoint == "", batches.c.state == BatchState.IN_PROGRESS)
                .values(state=BatchState.CANCELLED, finished_at=now())
            ).rowcount
            if not cancelling and not cancelled:
                return
            cancel_shards(connection, tenant, batch_id)
            if cancelled:
                batch = select(*BATCH_COLUMNS).where(batches.c.id == batch_id)
                tell_of_batch(connection, connection.execute(batch).one())

        self._database.transact(work)


def cancel_shards(connection: Connection, tenant: str, batch_id: str) -> None:
    """Cancel shards that wait, and ask those that run to end."""
    mine = (jobs.c.tenant == tenant, jobs.c.batch_id == batch_id)
    ended = connection.execute(
        update(jobs)
        .where(*mine, jobs.c.state.in_(WAITING))
        .values(state=JobState.CANCELLED, finished_at=now(), cancel_requested=True)
        .returning(*SETTLED_COLUMNS)
    ).all()
    settle(connection, ended)
    connection.execute(
        update(jobs).where(*mine, jobs.c.state == JobState.RUNNING).values(cancel_requested=True)
    )


SHOWN: Final = [batches.c[field.name] for field in fields(Batch)]
"""Columns of :func:`view`."""


def view(row: Row[Any]) -> Batch:
    """A batch of its row, which may have more columns."""
    values = {field.name: row._mapping[field.name] for field in fields(Batch)}
    values["priority"] = Priority(values["priority"])
    values["state"] = BatchState(values["state"])
    values["metadata"] = orjson.loads(values["metadata"])
    for name in ("errors", "usage"):
        if values[name] is not None:
            values[name] = orjson.loads(values[name])
    return Batch(**values)
