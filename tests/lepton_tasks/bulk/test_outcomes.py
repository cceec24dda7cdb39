"""One outcome a line, whatever became of the shard; what a worker wrote is read back."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from lepton_tasks.bulk.lines import Problem
from lepton_tasks.bulk.outcomes import CANCELLED, outcomes_of
from lepton_tasks.jobs import FinishedJob, Job
from lepton_tasks.states import JobState
from tests.support.held import held
from tests.support.stored import stored_job


def ended(
    state: JobState,
    items: int = 3,
    outputs: list[Any] | None = None,
    error: dict[str, Any] | None = None,
) -> Job:
    result = None if outputs is None else {"outputs": outputs}
    return stored_job(state=state, single=False, items=items, result=result, error=error)


def as_read(finished: FinishedJob, items: int) -> Job:
    """The job as a reader sees it after ``finished`` was stored."""
    result = None if finished.result is None else orjson.loads(finished.result)["outputs"]
    error = None if finished.error is None else orjson.loads(finished.error)
    return ended(finished.state, items, result, error)


@pytest.mark.parametrize("output", [{"flagged": True}, None, "好", 0, [], {}])
def test_outputs_pass_unchanged(output: Any) -> None:
    assert outcomes_of(ended(JobState.SUCCEEDED, 1, [output])) == [output]


def test_an_input_that_failed_stands_among_those_that_did_not() -> None:
    failed = {"error": {"code": "model_error", "message": "the model raised ValueError"}}
    assert outcomes_of(ended(JobState.SUCCEEDED, outputs=[1, failed, 2])) == [
        1,
        Problem("model_error", "the model raised ValueError"),
        2,
    ]


@pytest.mark.parametrize(
    "output",
    [
        {"error": {"code": "x", "message": "y"}, "flagged": False},
        {"error": "0.25"},
        {"error": None},
        {"errors": {"code": "x"}},
    ],
)
def test_an_output_that_only_looks_like_a_failure_is_an_output(output: dict[str, Any]) -> None:
    assert outcomes_of(ended(JobState.SUCCEEDED, 1, [output])) == [output]


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.EXPIRED, JobState.DEAD])
def test_a_shard_without_a_result_gives_its_reason_to_every_line(state: JobState) -> None:
    error = {"code": "dead", "message": "its worker died 3 times"}
    assert outcomes_of(ended(state, 4, error=error)) == [Problem(**error)] * 4
    assert outcomes_of(ended(state, 2)) == [Problem("error", "no reason given")] * 2


def test_success_without_a_result_is_no_success() -> None:
    assert outcomes_of(ended(JobState.SUCCEEDED)) == [Problem("error", "no reason given")] * 3


def test_a_cancelled_shard_is_not_put_down_to_an_error() -> None:
    error = {"code": "model_error", "message": "no"}
    assert outcomes_of(ended(JobState.CANCELLED, 2, [1, 2], error)) == [CANCELLED] * 2


def test_what_a_worker_wrote_is_what_is_read() -> None:
    job = held("好的", "bad", "fine")
    job.complete(0, orjson.dumps({"flagged": False}))
    job.fail_item(1, "encoding_failed", "the input could not be encoded")
    job.complete(2, orjson.dumps({"flagged": True}))
    assert outcomes_of(as_read(job.finished(), 3)) == [
        {"flagged": False},
        Problem("encoding_failed", "the input could not be encoded"),
        {"flagged": True},
    ]


def test_a_worker_that_failed_every_input_failed_every_line() -> None:
    job = held("坏", "bad")
    for place in range(2):
        job.fail_item(place, "encoding_failed", "the input could not be encoded")
    finished = job.finished()
    assert finished.state is JobState.FAILED
    assert (
        outcomes_of(as_read(finished, 2))
        == [Problem("encoding_failed", "the input could not be encoded")] * 2
    )
