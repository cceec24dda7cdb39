"""How jobs look to Celery's readers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from celery import states

from lepton_tasks.celery.metas import deleted_meta, meta_of, pending_meta
from lepton_tasks.errors import Gone
from lepton_tasks.jobs import Job
from lepton_tasks.states import JobState
from tests.support.stored import stored_job


@pytest.fixture
def job() -> Job:
    return stored_job()


@pytest.mark.parametrize("state", list(JobState))
def test_every_state_has_one_of_celerys(job: Job, state: JobState) -> None:
    meta = meta_of(replace(job, state=state))
    assert meta["status"] in states.ALL_STATES
    assert meta["task_id"] == job.id


def test_a_success_is_its_output(job: Job) -> None:
    done = replace(job, state=JobState.SUCCEEDED, result={"outputs": ["好"]}, finished_at=0.0)
    meta = meta_of(done, children=[["next", None]])
    assert (meta["status"], meta["result"]) == (states.SUCCESS, "好")
    assert meta["children"] == [["next", None]]
    assert meta["date_done"] == "1970-01-01T00:00:00+00:00"


def test_a_failure_has_the_code_in_its_message(job: Job) -> None:
    error = {"code": "out_of_memory", "message": "too long"}
    meta = meta_of(replace(job, state=JobState.FAILED, error=error))
    assert meta["status"] == states.FAILURE
    assert "out_of_memory" in str(meta["result"])


def test_what_is_not_known_is_pending_and_what_was_deleted_is_not() -> None:
    assert pending_meta("x") == {"task_id": "x", "status": states.PENDING, "result": None}
    gone = deleted_meta("x", Gone("it was deleted"))
    assert gone["status"] == states.FAILURE
    assert "it was deleted" in gone["result"]["exc_message"][0]
