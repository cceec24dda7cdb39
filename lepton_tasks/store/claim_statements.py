"""The statements by which jobs change hands: claim, finish, release, run again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Double,
    Row,
    Text,
    bindparam,
    case,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate
from sqlalchemy.types import TypeEngine

from lepton_tasks.ids import new_id
from lepton_tasks.jobs import ClaimedJob, Payload
from lepton_tasks.queues import Priority
from lepton_tasks.states import JobState, sources
from lepton_tasks.store.database import now
from lepton_tasks.store.rowset import rowset
from lepton_tasks.store.settle import SETTLED_COLUMNS
from lepton_tasks.store.tables import JobRow

jobs = JobRow.__table__  # type: ignore[attr-defined]

CLAIMED = [
    jobs.c[name]
    for name in [
        "id",
        "tenant",
        "task",
        "priority",
        "payload",
        "fence",
        "claim_id",
        "deadline",
        "retries",
    ]
]
"""What an UPDATE that claims jobs must return for :func:`claimed`."""

CLAIMING: dict[str, Any] = {
    "state": JobState.RUNNING,
    "fence": jobs.c.fence + 1,
    "claim_id": bindparam("new_claim"),
    "worker_id": bindparam("new_worker"),
    "attempts": jobs.c.attempts + 1,
    "started_at": now(),
}
"""Columns of a job that a worker takes; :func:`new_claim` gives the parameters."""

REQUEUED: dict[str, Any] = {
    "state": JobState.QUEUED,
    "published_at": None,
    "claim_id": None,
    "worker_id": None,
    "started_at": None,
}
"""Columns of a job that goes back to the queue, unpublished so that somebody publishes it."""

_WAITING_AGAIN: dict[str, Any] = REQUEUED | {
    "state": case((jobs.c.suspected_at.is_(None), JobState.QUEUED), else_=JobState.SUSPECT)
}
"""The same for a job that its worker gives back: a suspect stays one."""

_CLAIM: dict[str, TypeEngine[Any]] = {"id": Text(), "fence": BigInteger(), "claim_id": Text()}
"""First columns of the rows that a worker writes about its claims; see :func:`_still_held`."""


def new_claim(worker_id: str) -> dict[str, str]:
    """Parameters of :data:`CLAIMING`: one claim, of one job or of a whole fetch."""
    return {"new_claim": new_id("claim"), "new_worker": worker_id}


def claimed(row: Row[Any]) -> ClaimedJob:
    """A claimed job of the columns of :data:`CLAIMED`."""
    return ClaimedJob(
        id=row.id,
        tenant=row.tenant,
        task=row.task,
        priority=Priority(row.priority),
        payload=Payload.load(row.payload),
        fence=row.fence,
        claim_id=row.claim_id,
        deadline=row.deadline,
        retries=row.retries,
    )


def claim_statement(dialect: str) -> ReturningUpdate[Any]:
    """The statement that claims those of the rows ``wanted`` that may run now."""
    wanted = rowset("wanted", dialect, {"id": Text()})
    claimable = (
        select(jobs.c.id)
        .where(
            jobs.c.id.in_(select(wanted.c.id)),
            jobs.c.state == JobState.QUEUED,
            jobs.c.run_after <= now(),
            or_(jobs.c.deadline.is_(None), jobs.c.deadline > now()),
        )
        .order_by(jobs.c.id)
        .with_for_update(skip_locked=True)
    )
    return update(jobs).where(jobs.c.id.in_(claimable)).values(**CLAIMING).returning(*CLAIMED)


def finish_statement(dialect: str) -> ReturningUpdate[Any]:
    """The statement that ends claimed jobs, and returns what :func:`settle` needs of them.

    Rows ``outcome``: id, fence, claim id, state, result, error.
    """
    answer = {"state": Text(), "result": Text(), "error": Text()}
    outcome = rowset("outcome", dialect, _CLAIM | answer)
    return (
        update(jobs)
        .where(*_still_held(outcome), jobs.c.state.in_(sources(JobState.SUCCEEDED)))
        .values(
            state=_unless_cancelled(outcome.c.state, JobState.CANCELLED),
            result=_unless_cancelled(outcome.c.result, None),
            error=_unless_cancelled(outcome.c.error, None),
            finished_at=now(),
        )
        .returning(*SETTLED_COLUMNS)
    )


def release_statement(dialect: str) -> ReturningUpdate[Any]:
    """The statement that gives back claimed jobs as if they had not been taken.

    Rows ``mine``: id, fence, claim id. Returns the ids.
    """
    mine = rowset("mine", dialect, _CLAIM)
    return (
        update(jobs)
        .where(*_still_held(mine), jobs.c.state == JobState.RUNNING)
        .values(**_WAITING_AGAIN, attempts=jobs.c.attempts - 1)
        .returning(jobs.c.id)
    )


def retry_statement(dialect: str) -> ReturningUpdate[Any]:
    """The statement that puts claimed jobs back to run again, where that is still wanted.

    Rows ``again``: id, fence, claim id, seconds until it is due. Returns the ids.
    """
    again = rowset("again", dialect, _CLAIM | {"wait": Double()})
    due = now() + again.c.wait
    return (
        update(jobs)
        .where(
            *_still_held(again),
            jobs.c.state == JobState.RUNNING,
            ~jobs.c.cancel_requested,
            or_(jobs.c.deadline.is_(None), jobs.c.deadline > due),
        )
        .values(**_WAITING_AGAIN, retries=jobs.c.retries + 1, run_after=due)
        .returning(jobs.c.id)
    )


def _still_held(claim: CTE) -> tuple[ColumnElement[bool], ...]:
    """The job of a row of ``claim`` where nobody has taken it since: the fence."""
    return (
        jobs.c.id == claim.c.id,
        jobs.c.fence == claim.c.fence,
        jobs.c.claim_id == claim.c.claim_id,
    )


def _unless_cancelled(kept: Any, cancelled: Any) -> Any:
    return case((jobs.c.cancel_requested, cancelled), else_=kept)
