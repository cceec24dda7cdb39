"""Rows for plain Celery messages, which have none: all of a fetch at once, each once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from lepton_tasks.canvas.canvas import Canvas
from lepton_tasks.jobs import NewJob
from lepton_tasks.states import JobState
from lepton_tasks.store.canvases import add_canvases
from lepton_tasks.store.database import now
from lepton_tasks.store.insertion import new_row
from lepton_tasks.store.settle import SETTLED_COLUMNS, settle
from lepton_tasks.store.tables import JobRow
from lepton_tasks.store.task_results import revoked
from lepton_tasks.store.tombstones import buried

jobs = JobRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Adoption:
    """A plain Celery message that has no row yet: the job it asks for, or why it cannot be one.

    ``error`` is the JSON of ``{code, message}``; the job is then stored as failed,
    so that its producer's ``AsyncResult`` learns the reason. One that was ``revoked`` before
    is stored as cancelled. ``canvas`` is what is to follow the job's end.
    """

    job: NewJob
    error: str | None = None
    canvas: Canvas | None = None
    revoked: bool = False


def adopt(connection: Connection, adoptions: Sequence[Adoption]) -> list[str]:
    """Store what messages ask for, unless it is there or was deleted; ids that may be claimed."""
    brought = [adoption.job.id for adoption in adoptions]
    late = buried(connection, brought)  # duplicates of jobs that are deleted by now
    # The first of several with one id: what is stored must be what is told of it.
    firsts = {adoption.job.id: adoption for adoption in reversed(adoptions)}
    wanted = [firsts[job_id] for job_id in dict.fromkeys(brought) if job_id not in late]
    if not wanted:
        return []
    unwanted = revoked(connection, brought)
    clock: float = connection.execute(select(now())).scalar_one()
    rows = [_row(one, clock, one.revoked or one.job.id in unwanted) for one in wanted]
    added = set(connection.execute(_statement(connection.dialect.name), rows).scalars())
    followed = {
        one.job.id: one.canvas for one in wanted if one.canvas is not None and one.job.id in added
    }
    if followed:
        add_canvases(connection, followed)
    ended = {row["id"] for row in rows if row["finished_at"] is not None}
    if mine := sorted(ended & added):
        at_once = select(*SETTLED_COLUMNS).where(jobs.c.id.in_(mine))
        settle(connection, connection.execute(at_once).all())
    return [one.job.id for one in wanted if one.job.id not in ended]


def _row(adoption: Adoption, clock: float, revoked: bool) -> dict[str, Any]:
    row = new_row(adoption.job, clock) | {
        "canvas": None if adoption.canvas is None else True,
        "error": None,
        "finished_at": None,
    }
    if revoked:
        row |= {"state": JobState.CANCELLED, "finished_at": clock}
    elif adoption.error is not None:
        row |= {"state": JobState.FAILED, "error": adoption.error, "finished_at": clock}
    return row


@cache
def _statement(dialect: str) -> Any:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(jobs).on_conflict_do_nothing(index_elements=["id"]).returning(jobs.c.id)
