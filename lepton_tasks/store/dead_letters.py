"""Dead letters: jobs that ended their workers until they were given up. An operator's view."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    case,
    func,
    literal_column,
    select,
    tuple_,
    update,
)

from lepton_tasks.crashes import Crashes
from lepton_tasks.errors import Conflict, Gone, NotFound
from lepton_tasks.queues import Priority
from lepton_tasks.states import BatchState, JobState
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.claim_statements import REQUEUED
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.tables import JobRow
from lepton_tasks.store.tombstones import missing
from lepton_tasks.store.turns import reopen_turn

jobs = JobRow.__table__  # type: ignore[attr-defined]
batches = BatchRow.__table__  # type: ignore[attr-defined]

_DEAD: Final[ColumnElement[bool]] = jobs.c.state == literal_column("'dead'")
_MOST_REDRIVES: Final = 20
_VIEW: Final = [
    jobs.c[name]
    for name in [
        "id",
        "tenant",
        "task",
        "priority",
        "items",
        "batch_id",
        "created_at",
        "finished_at",
        "error",
        "crashes",
        "redrives",
    ]
]


@dataclass(frozen=True, slots=True)
class Redrive:
    """Who put a dead job back into its queue, when (Unix seconds), after how many crashes."""

    by: str
    at: float
    crashes: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead job without its texts. ``redrives`` are earlier ones, the latest last."""

    id: str
    tenant: str
    task: str
    priority: Priority
    items: int
    batch_id: str | None
    created_at: float
    died_at: float
    reason: str
    crashes: Crashes
    redrives: tuple[Redrive, ...]


class DeadLetterStore:
    """Dead jobs of all tenants, and their way back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, task: str | None = None, after: DeadLetter | None = None, limit: int = 100
    ) -> list[DeadLetter]:
        """Page through dead jobs, the longest dead first, beginning after ``after``."""
        query = select(*_VIEW).where(_DEAD)
        if task is not None:
            query = query.where(jobs.c.task == task)
        if after is not None:
            place = tuple_(jobs.c.finished_at, jobs.c.id)
            query = query.where(place > tuple_(after.died_at, after.id))
        query = query.order_by(jobs.c.finished_at, jobs.c.id).limit(limit)
        with self._database.read() as connection:
            return [_letter(row) for row in connection.execute(query).all()]

    def get(self, job_id: str) -> DeadLetter:
        """Read one dead job.

        Raises:
            NotFound: there is no job of that id, or it is not dead.
        """
        with self._database.read() as connection:
            row = connection.execute(select(*_VIEW).where(_DEAD, jobs.c.id == job_id)).first()
        if row is None:
            raise NotFound(f"no dead job {job_id}")
        return _letter(row)

    def counts(self) -> dict[str, int]:
        """Dead jobs by task."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(jobs.c.task, func.count()).where(_DEAD).group_by(jobs.c.task)
            ).all()
        return {row[0]: row[1] for row in rows}

    def redrive(self, job_id: str, by: str, tenant: str | None = None) -> None:
        """Put a dead job back into its queue, unpublished; its crashes are forgotten.

        ``by`` is noted on the job. A deadline that has passed is lifted: whoever asks
        wants it done. With ``tenant`` other tenants' jobs do not exist.

        Raises:
            NotFound: no such job.
            Conflict: ``not_dead``; or ``batch_closed``, its batch has counted it already; or
                ``conversation_busy``, another turn of its conversation has not ended.
            Gone: its conversation has expired.
        """
        which = [jobs.c.id == job_id]
        if tenant is not None:
            which.append(jobs.c.tenant == tenant)

        def work(connection: Connection) -> None:
            row = connection.execute(
                select(jobs.c.state, *_TO_REDRIVE).where(*which).with_for_update()
            ).first()
            if row is None:
                raise missing(connection, job_id, tenant)
            if row.state != JobState.DEAD:
                raise Conflict(
                    f"job {job_id} is {row.state}; only a dead job can be redriven", "not_dead"
                )
            _redrive(connection, row, by)

        self._database.transact(work)

    def redrive_page(self, letters: Sequence[DeadLetter], by: str) -> list[str]:
        """Redrive those of ``letters`` that are still dead and may be, in one transaction.

        Returns:
            Ids of the jobs that are queued again.
        """

        def work(connection: Connection) -> list[str]:
            rows = connection.execute(
                select(*_TO_REDRIVE)
                .where(_DEAD, jobs.c.id.in_([letter.id for letter in letters]))
                .order_by(*_ORDER)
                .with_for_update()
            ).all()
            queued = []
            for row in rows:
                with suppress(Conflict, Gone):
                    _redrive(connection, row, by)
                    queued.append(row.id)
            return queued

        return self._database.transact(work) if letters else []


_TO_REDRIVE: Final = [
    jobs.c[name]
    for name in [
        "id",
        "tenant",
        "items",
        "batch_id",
        "conversation_id",
        "solo_crashes",
        "redrives",
    ]
]
_ORDER: Final = [jobs.c[name] for name in ["batch_id", "tenant", "conversation_id", "id"]]
"""One order for all, so that two who redrive, or end turns, cannot deadlock."""


def _redrive(connection: Connection, row: Row[Any], by: str) -> None:
    """Queue a locked dead job again; raises as :meth:`DeadLetterStore.redrive` does."""
    if row.batch_id is not None and not _uncount(connection, row):
        raise Conflict(
            f"job {row.id} belongs to {row.batch_id}, which has counted it as failed and "
            "is complete or still being read; submit its inputs again",
            "batch_closed",
        )
    if row.conversation_id is not None:
        reopen_turn(connection, row.tenant, row.conversation_id)
    clock: float = connection.execute(select(now())).scalar_one()
    audit = orjson.loads(row.redrives or b"[]")[1 - _MOST_REDRIVES :]
    audit.append({"by": by, "at": clock, "crashes": row.solo_crashes})
    connection.execute(
        update(jobs)
        .where(jobs.c.id == row.id)
        .values(
            **REQUEUED,
            attempts=0,
            retries=0,
            solo_crashes=0,
            suspected_at=None,
            crashes=None,
            error=None,
            finished_at=None,
            run_after=clock,
            deadline=case((jobs.c.deadline > clock, jobs.c.deadline)),
            redrives=orjson.dumps(audit).decode(),
        )
    )


def _uncount(connection: Connection, row: Row[Any]) -> bool:
    """Take a shard's items out of its batch's counts.

    A batch that is complete has told its counts. One that is not sealed is fed by a run
    that reads each shard once, and may have written this one's lines as failed.
    """
    uncounted = connection.execute(
        update(batches)
        .where(
            batches.c.id == row.batch_id,
            batches.c.sealed,
            batches.c.state == BatchState.IN_PROGRESS,
        )
        .values(
            done_items=batches.c.done_items - row.items,
            failed_items=batches.c.failed_items - row.items,
        )
        .returning(batches.c.id)
    ).first()
    return uncounted is not None


def _letter(row: Row[Any]) -> DeadLetter:
    error = orjson.loads(row.error)
    return DeadLetter(
        id=row.id,
        tenant=row.tenant,
        task=row.task,
        priority=Priority(row.priority),
        items=row.items,
        batch_id=row.batch_id,
        created_at=row.created_at,
        died_at=row.finished_at,
        reason=error["message"],
        crashes=Crashes.load(row.crashes),
        redrives=tuple(Redrive(**one) for one in orjson.loads(row.redrives or b"[]")),
    )
