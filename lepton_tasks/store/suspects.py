"""Suspects: jobs that were in work on a worker that died. They have no message."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Text,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from lepton_tasks.crashes import Crashes
from lepton_tasks.jobs import ClaimedJob
from lepton_tasks.queues import Priority
from lepton_tasks.states import JobState
from lepton_tasks.store.claim_statements import CLAIMED, CLAIMING, claimed, new_claim
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.rowset import bind_rows, rowset
from lepton_tasks.store.settle import SETTLED_COLUMNS, settle
from lepton_tasks.store.tables import JobRow

jobs = JobRow.__table__  # type: ignore[attr-defined]

_PAGE: Final = 500
_EXPIRED: Final = '{"code":"expired","message":"the job waited longer than its ttl_seconds"}'
_SUSPECT: Final[ColumnElement[bool]] = jobs.c.state == literal_column("'suspect'")
_ALIVE: Final = or_(jobs.c.deadline.is_(None), jobs.c.deadline > now())
_RANK: Final = case({str(one): one.rank for one in Priority}, value=jobs.c.priority)


class SuspectStore:
    """Jobs that wait to be run alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self,
        worker_id: str,
        tasks: Sequence[str],
        limit: int = 1,
        most_crashes: int | None = None,
    ) -> list[ClaimedJob]:
        """Take suspects of ``tasks``: those that crashed least first, then by priority and age.

        So the innocent among them, which wait for nothing but their turn, are done before
        a culprit takes this worker down again. ``most_crashes`` leaves out those with more.
        """
        which = [_SUSPECT, jobs.c.task.in_(tasks), jobs.c.run_after <= now(), _ALIVE]
        if most_crashes is not None:
            which.append(jobs.c.solo_crashes <= most_crashes)
        with self._database.read() as connection:
            if not connection.execute(select(exists().where(*which))).scalar():
                return []
        return self._database.transact(
            lambda connection: _claim(connection, worker_id, which, limit), durable=False
        )

    def acquit(self, job_ids: Collection[str]) -> None:
        """Forget the crashes of suspects: they were their worker's fault. They stay suspects."""
        if not job_ids:
            return
        named = rowset("named", self._database.dialect, {"id": Text()})
        statement = (
            update(jobs)
            .where(jobs.c.id.in_(select(named.c.id)), _SUSPECT)
            .values(solo_crashes=0, crashes=None)
        )
        parameters = {"named": bind_rows((one,) for one in job_ids)}
        self._database.transact(lambda connection: connection.execute(statement, parameters))

    def expire_deadlines(self) -> int:
        """End suspects whose deadline has passed; at most a page a call."""

        def work(connection: Connection) -> int:
            late = select(jobs.c.id).where(_SUSPECT, jobs.c.deadline <= now()).limit(_PAGE)
            rows = connection.execute(
                update(jobs)
                .where(jobs.c.id.in_(late), _SUSPECT)
                .values(state=JobState.EXPIRED, finished_at=now(), error=_EXPIRED)
                .returning(*SETTLED_COLUMNS)
            ).all()
            settle(connection, rows)
            return len(rows)

        return self._database.transact(work) if self._any_late() else 0

    def _any_late(self) -> bool:
        with self._database.read() as connection:
            late = exists().where(_SUSPECT, jobs.c.deadline <= now())
            return bool(connection.execute(select(late)).scalar())

    def counts(self) -> dict[str, int]:
        """Suspects by task."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(jobs.c.task, func.count()).where(_SUSPECT).group_by(jobs.c.task)
            ).all()
        return {row[0]: row[1] for row in rows}


def _claim(
    connection: Connection, worker_id: str, which: Sequence[ColumnElement[bool]], limit: int
) -> list[ClaimedJob]:
    first = (
        select(jobs.c.id)
        .where(*which)
        .order_by(jobs.c.solo_crashes, _RANK, jobs.c.suspected_at, jobs.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("first")  # evaluated once; as a subquery PostgreSQL may run it again
    )
    rows = connection.execute(
        update(jobs)
        .where(jobs.c.id.in_(select(first.c.id)), _SUSPECT)
        .values(**CLAIMING)
        .returning(*CLAIMED, jobs.c.crashes),
        new_claim(worker_id),
    ).all()
    return [_suspect(row) for row in rows]


def _suspect(row: Row[Any]) -> ClaimedJob:
    return replace(claimed(row), crashes=Crashes.load(row.crashes))
