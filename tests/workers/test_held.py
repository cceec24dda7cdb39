"""A held job: outputs keep their places, errors stay their own, cancelling wins."""

from __future__ import annotations

import orjson

from lepton_tasks.states import JobState
from tests.support.held import held
from workers.held import HeldJobs


def test_outputs_keep_their_places_and_errors_stay_their_own() -> None:
    job = held("a", "b", "c")
    assert not job.complete(2, b'{"n":2}')
    assert not job.fail_item(1, "model_error", "no")
    assert job.complete(0, b'{"n":0}')
    finished = job.finished()
    assert finished.result is not None
    answer = orjson.loads(finished.result)
    assert answer["model"] == {"name": "model", "revision": "r1"}
    assert answer["outputs"] == [
        {"n": 0},
        {"error": {"code": "model_error", "message": "no"}},
        {"n": 2},
    ]
    assert (finished.failed_items, finished.error) == (1, None)
    assert finished.state is JobState.SUCCEEDED


def test_a_job_without_a_good_item_has_failed() -> None:
    job = held("a", "b")
    job.fail_item(0, "x", "one")
    assert job.fail_item(1, "y", "two")
    finished = job.finished()
    assert finished.state is JobState.FAILED
    assert finished.result is None
    assert finished.error is not None
    assert orjson.loads(finished.error)["code"] == "y"


def test_a_cancelled_job_has_neither_result_nor_error() -> None:
    job = held("a", "b")
    jobs = HeldJobs()
    jobs.add([job])
    jobs.cancel(["job", "another"])
    job.complete(0, b"{}")
    job.complete(1, b"{}")
    finished = job.finished()
    assert finished.state is JobState.CANCELLED
    assert (finished.result, finished.error) == (None, None)


def test_what_was_let_go_is_not_cancelled() -> None:
    job = held("a")
    jobs = HeldJobs()
    jobs.add([job])
    jobs.discard([job])
    jobs.cancel(["job"])
    assert not job.cancelled


def test_what_may_pass_waits_for_as_long_as_the_most_patient_of_its_inputs_asks() -> None:
    job = held("a", "b", "c")
    job.fail_item(0, "unavailable", "no", True, 7.0)
    job.fail_item(1, "unavailable", "no", True, 3.0)
    job.fail_item(2, "model_error", "no")
    assert (job.retryable, job.retry_after) == (True, 7.0)
