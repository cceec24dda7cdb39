from __future__ import annotations

import pytest

from lepton_tasks.client.views import Batch, Job
from lepton_tasks.states import BATCH_TERMINAL, TERMINAL, BatchState, JobState
from tests.support.job_bodies import accepted, job


@pytest.mark.parametrize("state", JobState)
def test_a_job_has_ended_when_its_results_were_read(state: JobState) -> None:
    assert Job.model_validate(job("job_1", state)).ended == (state in TERMINAL)
    assert not Job.model_validate(accepted("job_1", state)).ended


@pytest.mark.parametrize("status", BatchState)
def test_a_batch_has_ended(status: BatchState) -> None:
    batch = Batch(id="batch_1", status=status, created_at=1)
    assert batch.ended == (status in BATCH_TERMINAL)


def test_what_a_newer_server_adds_is_kept() -> None:
    told = Job.model_validate(job("job_1", "paused", region="north"))
    assert (told.state, told.ended, told.model_extra) == (
        "paused",
        False,
        {"object": "job", "region": "north"},
    )
