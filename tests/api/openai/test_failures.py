"""How a job without an answer is told: by status, and whether to send it again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api.errors import ApiError
from api.openai.failures import outputs_of, stopping, told, too_late
from lepton_tasks.jobs import Job
from lepton_tasks.openai.failures import failure
from lepton_tasks.queues import Priority
from lepton_tasks.states import JobState


def test_an_items_error_is_told_as_it_is() -> None:
    error = told(failure("unknown_model", "为什么"))
    assert (error.status, error.code, str(error)) == (404, "model_not_found", "为什么")
    assert error.param == "model"


def test_only_what_may_pass_is_to_be_sent_again() -> None:
    for passing in (told(failure("unavailable", "")), too_late(waited=True), stopping()):
        assert "retry-after" in (passing.headers or {})
    for lasting in (told(failure("encoding_failed", "")), too_late(waited=False)):
        assert (lasting.headers or {})["x-should-retry"] == "false"


def test_who_waited_in_a_queue_may_come_back_and_who_asked_too_much_asks_for_less() -> None:
    assert too_late(waited=True).status == 429
    late = too_late(waited=False)
    assert late.status == 504
    assert "LEPTON_ANSWER_SECONDS" in str(late)


def job_of(state: JobState, error: dict[str, str] | None = None) -> Job:
    return Job(
        id="job_1",
        tenant="acme",
        task="moderation",
        priority=Priority.HIGH,
        state=state,
        single=False,
        items=1,
        attempts=0,
        created_at=0.0,
        started_at=None,
        finished_at=1.0,
        run_at=0.0,
        deadline=None,
        cancel_requested=False,
        batch_id=None,
        ordinal=None,
        metadata={},
        result=None,
        error=error,
    )


@pytest.mark.parametrize(
    ("state", "error", "status", "code", "says"),
    [
        (JobState.CANCELLED, None, 409, "cancelled", "call again"),
        (JobState.EXPIRED, "expired", 429, "backlog_full", "send it again later"),
        (JobState.DEAD, "dead", 500, "dead", "why"),
        (JobState.FAILED, "encoding_failed", 400, "encoding_failed", "why"),
    ],
)
def test_a_job_without_a_result_says_what_can_be_done(
    state: JobState, error: str | None, status: int, code: str, says: str
) -> None:
    stored = None if error is None else {"code": error, "message": "why"}
    with pytest.raises(ApiError, match=says) as caught:
        outputs_of(job_of(state, stored))
    assert (caught.value.status, caught.value.code) == (status, code)


def test_an_error_among_outputs_is_the_calls() -> None:
    outputs = [{"flagged": False}, {"error": {"code": "encoding_failed", "message": "why"}}]
    job = replace(job_of(JobState.SUCCEEDED), result={"outputs": outputs})
    with pytest.raises(ApiError, match="why") as caught:
        outputs_of(job)
    assert caught.value.status == 400
