"""A job as its tenant sees it, without a store."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from lepton_tasks.jobs import Job
from lepton_tasks.queues import Priority
from lepton_tasks.states import JobState


def stored_job(**changes: Any) -> Job:
    """A job that waits; what is neither here nor in ``changes`` is None."""
    values: dict[str, Any] = dict.fromkeys(field.name for field in fields(Job))
    values |= {
        "id": "job_1",
        "tenant": "acme",
        "task": "moderation",
        "priority": Priority.NORMAL,
        "state": JobState.QUEUED,
        "single": True,
        "items": 1,
        "attempts": 0,
        "created_at": 1.0,
        "run_at": 1.0,
        "cancel_requested": False,
        "metadata": {},
    }
    return Job(**values | changes)
