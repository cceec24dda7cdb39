"""How a job that gave no answer is told to whoever waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.errors import ApiError
from lepton_tasks.jobs import Job
from lepton_tasks.states import JobState

_NO_RETRY: Final = {"x-should-retry": "false"}
_AGAIN: Final = {"retry-after": "5"}
_STATUSES: Final[Mapping[str, tuple[int, str]]] = {
    "unknown_model": (404, "model_not_found"),
    "context_exceeded": (400, "context_length_exceeded"),
    "generation_refused": (400, "generation_refused"),
    "no_chat_template": (400, "no_chat_template"),
    "chat_template_refused": (400, "chat_template_refused"),
    "encoding_failed": (400, "encoding_failed"),
    "encoding_timeout": (400, "encoding_timeout"),
    "upstream_refused": (400, "upstream_refused"),
    "unavailable": (503, "unavailable"),
    "model_unavailable": (503, "model_unavailable"),
    "out_of_memory": (503, "out_of_memory"),
}
"""HTTP status and code by an item's own code; what is not here is a fault on our side."""


def failure(code: str, message: str) -> ApiError:
    """What the error of an item or a job is over HTTP.

    >>> error = failure("unknown_model", "there is no model 'gpt-9' for chat")
    >>> error.status, error.code, error.param
    (404, 'model_not_found', 'model')
    """
    status, told = _STATUSES.get(code, (500, code))
    headers = _AGAIN if status == 503 else _NO_RETRY
    return ApiError(status, told, message, "model" if status == 404 else None, headers)


def outputs_of(job: Job) -> list[Any]:
    """Outputs of a job that has ended, in order.

    Raises:
        ApiError: it has none, or not all of them.
    """
    if job.result is None:
        raise _without_result(job)
    outputs: list[Any] = job.result["outputs"]
    for output in outputs:
        if isinstance(output, Mapping) and isinstance(output.get("error"), Mapping):
            raise failure(output["error"]["code"], output["error"]["message"])
    return outputs


def _without_result(job: Job) -> ApiError:
    if job.error is not None:
        return failure(job.error["code"], job.error["message"])
    if job.state is JobState.EXPIRED:
        return too_late(waited=True)
    return ApiError(409, job.state.value, f"the job was {job.state.value}", headers=_NO_RETRY)


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
