from __future__ import annotations

import pickle

import pytest

from lepton_tasks import errors as base
from lepton_tasks.client import errors
from lepton_tasks.client.errors import BatchFailed, JobFailed, StillWaiting, Told, error_of


@pytest.mark.parametrize(
    ("status", "code", "kind", "also"),
    [
        (400, "unsupported_parameter", errors.InvalidRequest, base.InvalidInput),
        (401, "invalid_api_key", errors.KeyRefused, base.LeptonError),
        (404, "not_found", errors.UnknownObject, base.NotFound),
        (409, "still_running", errors.WrongState, base.Conflict),
        (410, "deleted", errors.DeletedObject, base.Gone),
        (413, "too_large", errors.TooLarge, base.LeptonError),
        (422, "empty_inputs", errors.InvalidRequest, base.InvalidInput),
        (422, "idempotency_conflict", errors.IdempotencyMismatch, base.IdempotencyConflict),
        (429, "backlog_full", errors.TooMuch, base.Overloaded),
        (500, "internal_error", errors.ServerFault, base.LeptonError),
        (503, "store_unavailable", errors.Unavailable, base.LeptonError),
        (307, "unexplained", errors.UnexpectedAnswer, base.LeptonError),
    ],
)
def test_every_status_has_its_kind_and_that_of_the_library(
    status: int, code: str, kind: type[Exception], also: type[Exception]
) -> None:
    error = error_of(Told(status, "what to do", code, "input", "req_1", 2.0))
    assert type(error) is kind
    assert isinstance(error, also)
    assert (error.status, error.code, error.param) == (status, code, "input")
    assert (error.request_id, error.retry_after) == ("req_1", 2.0)
    assert str(error) == "what to do [req_1]"


@pytest.mark.parametrize(
    "error",
    [
        error_of(Told(429, "later", "backlog_full", None, "req_1", 3.0)),
        JobFailed("job_1", "out_of_memory", "no memory for it"),
        StillWaiting(("job_1", "job_2", "job_3", "job_4"), 5),
        BatchFailed("batch_1", "failed", [{"line": 3, "message": "no custom_id"}]),
    ],
)
def test_errors_travel_between_processes(error: Exception) -> None:
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(twin), str(twin), vars(twin)) == (type(error), str(error), vars(error))


def test_texts_name_what_is_meant() -> None:
    assert "job_3 and 1 more" in str(StillWaiting(("job_1", "job_2", "job_3", "job_4"), 5))
    said = str(BatchFailed("batch_1", "failed", [{"line": 3, "message": "no custom_id"}, {}] * 2))
    assert said == "batch_1 has failed: line 3: no custom_id; None; line 3: no custom_id and 1 more"
    assert str(JobFailed("job_1", "encoding_failed", "it cannot")).startswith("it cannot [job_1")
