"""How a job that gave no answer is told to whoever waits for it."""

from __future__ import annotations

from typing import Any, Final

from api.errors import ApiError
from lepton_tasks.jobs import Job
from lepton_tasks.openai.failures import WireFailure, failure
from lepton_tasks.openai.wire import error_of
from lepton_tasks.states import JobState

_NO_RETRY: Final = {"x-should-retry": "false"}
_AGAIN: Final = {"retry-after": "5"}


def told(found: WireFailure) -> ApiError:
    """Say over HTTP how an item or a job failed, and whether to send the request again.

    >>> error = told(failure("unknown_model", "there is no model 'gpt-9' for chat"))
    >>> error.status, error.code, error.param
    (404, 'model_not_found', 'model')
    """
    headers = _AGAIN if found.status == 503 else _NO_RETRY
    return ApiError(found.status, found.code, found.message, found.param, headers)


def outputs_of(job: Job) -> list[Any]:
    """Outputs of a job that has ended, in order.

    Raises:
        ApiError: it has none, or not all of them.
    """
    if job.result is None:
        raise _without_result(job)
    outputs: list[Any] = job.result["outputs"]
    for output in outputs:
        if (error := error_of(output)) is not None:
            raise told(failure(error["code"], error["message"]))
    return outputs


def _without_result(job: Job) -> ApiError:
    if job.state is JobState.EXPIRED:
        return too_late(waited=True)
    if job.error is not None:
        return told(failure(job.error["code"], job.error["message"]))
    return ApiError(
        409,
        job.state.value,
        f"the job behind this call, {job.id}, was cancelled while the call waited for it; call "
        "again if you still want an answer, and with another Idempotency-Key if you sent one",
        headers=_NO_RETRY,
    )


def too_late(*, waited: bool) -> ApiError:
    """The answer did not come in time; ``waited``: its job never began."""
    if waited:
        return ApiError(
            429,
            "backlog_full",
            "the call waited in a queue for as long as calls wait; nothing was computed, "
            "send it again later",
            headers=_AGAIN,
        )
    return ApiError(
        504,
        "timeout",
        "the answer took longer than calls wait (LEPTON_ANSWER_SECONDS); ask for less, or send "
        "it as a job with POST /v1/jobs",
        headers=_NO_RETRY,
    )


def stopping() -> ApiError:
    """The process ends; another one finds the job when the request is sent again."""
    headers = {"retry-after": "1"}
    return ApiError(503, "stopping", "this server stops; send it again", headers=headers)
