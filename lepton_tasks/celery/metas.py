"""Jobs as Celery's result backends describe tasks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import orjson
from celery import states

from lepton_tasks.celery.failures import JobFailed
from lepton_tasks.errors import Gone
from lepton_tasks.jobs import Job
from lepton_tasks.states import JobState
from lepton_tasks.store.canvases import failure_of

_CELERY_STATES: Final = {
    JobState.QUEUED: states.PENDING,
    JobState.RUNNING: states.STARTED,
    JobState.SUSPECT: states.STARTED,
    JobState.SUCCEEDED: states.SUCCESS,
    JobState.FAILED: states.FAILURE,
    JobState.CANCELLED: states.REVOKED,
    JobState.EXPIRED: states.REVOKED,
    JobState.DEAD: states.FAILURE,
}


def meta_of(job: Job, children: list[Any] | None = None) -> dict[str, Any]:
    """Celery's view of a job; a failure carries the error's code in its message.

    A job that runs has as its result how far it has come, where its worker says so.
    ``children`` are the results of what follows it, as Celery's ``as_tuple`` writes them.
    """
    status = _CELERY_STATES[job.state]
    if status in (states.FAILURE, states.REVOKED):
        error = None if job.error is None else orjson.dumps(job.error).decode()
        result: Any = failure_of(job.state, error)
    else:
        result = job.progress if status == states.STARTED else job.output()
    return {
        "task_id": job.id,
        "status": status,
        "result": result,
        "traceback": None,
        "children": children or [],
        "date_done": _iso(job.finished_at),
    }


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def pending_meta(task_id: str) -> dict[str, Any]:
    """A task of which nothing is known (yet)."""
    return {"task_id": task_id, "status": states.PENDING, "result": None}


def deleted_meta(task_id: str, error: Gone) -> dict[str, Any]:
    """A failure, where Celery would wait for ever for what it takes to be pending."""
    failure = {
        "exc_type": JobFailed.__name__,
        "exc_message": [f"{error.code}: {error}"],
        "exc_module": JobFailed.__module__,
    }
    return {"task_id": task_id, "status": states.FAILURE, "result": failure, "traceback": None}
