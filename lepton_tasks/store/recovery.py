"""What becomes of the jobs of workers that fell silent: back to the queue, suspect, or dead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Text,
    delete,
    exists,
    func,
    literal_column,
    select,
    update,
)

from lepton_tasks.crashes import Crashes
from lepton_tasks.in_work import InWork
from lepton_tasks.states import JobState
from lepton_tasks.store.claim_statements import REQUEUED
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.rowset import bind_rows, rowset
from lepton_tasks.store.settle import SETTLED_COLUMNS, settle
from lepton_tasks.store.tables import JobRow, WorkerRow

jobs = JobRow.__table__  # type: ignore[attr-defined]
workers = WorkerRow.__table__  # type: ignore[attr-defined]

ATTEMPTS_TO_SUSPECT: Final = 3
"""Workers that nobody watched which a job may lose before it is suspected; retries aside."""
FORGET_SECONDS: Final = 86_400.0
"""How long after its lease the row of a worker is kept."""
_PAGE: Final = 500
_RUNNING: Final[ColumnElement[str]] = literal_column("'running'")  # the partial index fits it
_SUSPECTED: Final[dict[str, Any]] = REQUEUED | {
    "state": JobState.SUSPECT,
    "suspected_at": func.coalesce(jobs.c.suspected_at, now()),
}


@dataclass(frozen=True, slots=True)
class Recovered:
    """Jobs of silent workers: how many were freed and suspected, and the ids that ended."""

    queued: int = 0
    suspects: int = 0
    cancelled: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()

    @property
    def ended(self) -> tuple[str, ...]:
        """Ids of the jobs whose waiters should be told."""
        return self.cancelled + self.dead

    def __add__(self, other: Recovered) -> Recovered:
        """Both together."""
        return Recovered(
            self.queued + other.queued,
            self.suspects + other.suspects,
            self.cancelled + other.cancelled,
            self.dead + other.dead,
        )


@dataclass(frozen=True, slots=True)
class _Lost:
    """A lost worker; ``in_work`` is None where nobody looked what it was at."""

    id: str
    hostname: str
    in_work: InWork | None


class RecoveryStore:
    """Takes back what silent workers held."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._suspect_statement = (
            update(jobs)
            .where(jobs.c.id.in_(select(rowset("named", database.dialect, {"id": Text()}).c.id)))
            .values(**_SUSPECTED)
            .returning(jobs.c.id)
        )

    def recover(self) -> Recovered:
        """Take the jobs of workers whose lease has ended; a transaction a worker.

        A job that was not in work goes back to the queue. One that was becomes a
        suspect; so does one that has lost :data:`ATTEMPTS_TO_SUSPECT` workers which nobody
        watched. A suspect that was in work has crashed alone: it waits again, or it is
        dead. What its tenant has cancelled is not run again.

        The worker's row is locked and its lease looked at again first, so one that
        renewed in between keeps its jobs.
        """
        recovered = Recovered()
        for worker_id in self._silent():
            recovered += self._database.transact(partial(self._end, worker_id))
        self._forget_long_gone()
        return recovered

    def _forget_long_gone(self) -> None:
        """Delete the rows of workers that ended a day ago: no claim of theirs is on its way."""
        busy = exists().where(jobs.c.state == _RUNNING, jobs.c.worker_id == workers.c.id)
        gone = (workers.c.lease_until <= now() - FORGET_SECONDS, ~busy)
        with self._database.read() as connection:
            found = connection.execute(select(workers.c.id).where(*gone).limit(_PAGE)).scalars()
            ids = list(found)
        if ids:
            with self._database.write() as connection:
                connection.execute(delete(workers).where(workers.c.id.in_(ids), *gone))

    def _silent(self) -> Sequence[str]:
        held = exists().where(jobs.c.state == _RUNNING, jobs.c.worker_id == workers.c.id)
        with self._database.read() as connection:
            rows = connection.execute(
                select(workers.c.id).where(workers.c.lease_until <= now(), held)
            ).all()
        return [row.id for row in rows]

    def _end(self, worker_id: str, connection: Connection) -> Recovered:
        row = connection.execute(
            select(workers.c.hostname, workers.c.in_work)
            .where(workers.c.id == worker_id, workers.c.lease_until <= now())
            .with_for_update()
        ).first()
        if row is None:
            return Recovered()
        in_work = None if row.in_work is None else InWork.load(row.in_work)
        lost = _Lost(worker_id, row.hostname, in_work)
        cancelled = _cancel(connection, lost)
        crashed = _count_crashes(connection, lost)
        suspects = _move(connection, lost, _SUSPECTED, jobs.c.suspected_at.is_not(None))
        suspects += self._suspect(connection, lost)
        queued = _move(connection, lost, REQUEUED)
        return crashed + Recovered(queued, suspects, cancelled)

    def _suspect(self, connection: Connection, lost: _Lost) -> int:
        """Suspect what was in work, or what has lost too many workers unseen."""
        if lost.in_work is None:
            unseen = jobs.c.attempts - jobs.c.retries >= ATTEMPTS_TO_SUSPECT
            return _move(connection, lost, _SUSPECTED, unseen)
        if lost.in_work.everything:
            return _move(connection, lost, _SUSPECTED)
        named = bind_rows((job_id,) for job_id in lost.in_work.places)
        statement = self._suspect_statement.where(*_held_by(lost))
        return len(connection.execute(statement, {"named": named}).all())


def _held_by(lost: _Lost) -> tuple[ColumnElement[bool], ...]:
    return jobs.c.state == _RUNNING, jobs.c.worker_id == lost.id


def _move(
    connection: Connection, lost: _Lost, values: dict[str, Any], *which: ColumnElement[bool]
) -> int:
    moved = connection.execute(
        update(jobs).where(*_held_by(lost), *which).values(**values).returning(jobs.c.id)
    ).all()
    return len(moved)


def _cancel(connection: Connection, lost: _Lost) -> tuple[str, ...]:
    ended = connection.execute(
        update(jobs)
        .where(*_held_by(lost), jobs.c.cancel_requested)
        .values(state=JobState.CANCELLED, finished_at=now())
        .returning(*SETTLED_COLUMNS)
    ).all()
    settle(connection, ended)
    return tuple(row.id for row in ended)


def _count_crashes(connection: Connection, lost: _Lost) -> Recovered:
    """Count a crash for each suspect that was in work; a worker holds one at a time."""
    suspects = connection.execute(
        select(jobs.c.id, jobs.c["items"], jobs.c.crashes)
        .where(*_held_by(lost), jobs.c.suspected_at.is_not(None))
        .with_for_update()
    ).all()
    suspected = 0
    dead: list[Row[Any]] = []
    for job in suspects:
        if lost.in_work is not None and not lost.in_work.names(job.id):
            continue
        crashes = Crashes.load(job.crashes).after(_place(lost, job), lost.hostname)
        counted = {"solo_crashes": crashes.total, "crashes": crashes.dump()}
        mine = update(jobs).where(*_held_by(lost), jobs.c.id == job.id)
        if crashes.are_fatal(job.items):
            values = counted | {"state": JobState.DEAD, "error": crashes.error()}
            dead += connection.execute(
                mine.values(**values, finished_at=now()).returning(*SETTLED_COLUMNS)
            ).all()
        else:
            connection.execute(mine.values(**_SUSPECTED | counted))
            suspected += 1
    settle(connection, dead)
    return Recovered(0, suspected, (), tuple(row.id for row in dead))


def _place(lost: _Lost, job: Row[Any]) -> int | None:
    """Which of its inputs crashed; None where nobody saw."""
    if job.items == 1:
        return 0
    return None if lost.in_work is None else lost.in_work.place_of(job.id)
