"""What can go wrong with a call, one class a kind, and how an answer becomes one of them.

Each is also of the class of :mod:`lepton_tasks.errors` that the same fault has without HTTP,
so ``except InvalidInput`` catches it from a :class:`~lepton_tasks.producer.Producer` and from
a client alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lepton_tasks.errors import (
    Conflict,
    Gone,
    IdempotencyConflict,
    InvalidInput,
    LeptonError,
    NotFound,
    Overloaded,
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a server said of a request that failed; ``status`` 0 where nobody answered."""

    status: int
    message: str
    code: str
    param: str | None = None
    request_id: str | None = None
    retry_after: float = 0.0
    """Seconds after which the same request may succeed; 0 where nothing was said."""


class ClientError(LeptonError):
    """A call that failed. ``code`` is for programs, the text says what to do.

    ``status`` is the HTTP status, ``param`` names the wrong field, ``request_id`` is what the
    server's log has of the call.
    """

    def __init__(self, told: Told) -> None:
        Exception.__init__(self, told)
        self.told = told
        self.status = told.status
        self.code = told.code
        self.param = told.param
        self.request_id = told.request_id
        self.retry_after = told.retry_after

    def __str__(self) -> str:
        ended = f" [{self.request_id}]" if self.request_id else ""
        return f"{self.told.message}{ended}"


class NoConnection(ClientError):
    """The server was not reached, or hung up before it had answered."""


class NoAnswer(NoConnection, TimeoutError):
    """The server did not answer within the client's ``timeout``."""


class InvalidRequest(ClientError, InvalidInput):
    """A field is wrong; ``param`` names it (400, 422)."""


class IdempotencyMismatch(InvalidRequest, IdempotencyConflict):
    """The idempotency key was used before with another body (422)."""


class KeyRefused(ClientError):
    """The API key is wrong, revoked, or may not do this (401, 403)."""


class UnknownObject(ClientError, NotFound):
    """There is no such thing in the key's tenant (404)."""


class DeletedObject(UnknownObject, Gone):
    """It was there once and has been deleted (410)."""


class WrongState(ClientError, Conflict):
    """What was asked does not go with the state that the object is in (409)."""


class TooLarge(ClientError):
    """The request has more bytes than the server takes (413)."""


class TooMuch(ClientError, Overloaded):
    """More was sent than is taken for now: again after ``retry_after`` seconds (429)."""


class ServerFault(ClientError):
    """The server failed; nothing is wrong with the request (5xx)."""


class Unavailable(ServerFault):
    """The server cannot serve this for now (503)."""


class UnexpectedAnswer(ClientError):
    """What answered does not speak this API: ``base_url`` may name something else."""


_BY_STATUS: Final[Mapping[int, type[ClientError]]] = {
    400: InvalidRequest,
    401: KeyRefused,
    403: KeyRefused,
    404: UnknownObject,
    409: WrongState,
    410: DeletedObject,
    413: TooLarge,
    422: InvalidRequest,
    429: TooMuch,
    503: Unavailable,
}


def error_of(told: Told) -> ClientError:
    """The error of its kind.

    >>> type(error_of(Told(410, "job_1 was deleted", "deleted"))).__name__
    'DeletedObject'
    >>> str(error_of(Told(422, "input is empty", "empty", "input", "req_7")))
    'input is empty [req_7]'
    """
    if told.code == IdempotencyConflict("").code:
        return IdempotencyMismatch(told)
    kind = _BY_STATUS.get(told.status)
    if kind is None:
        kind = ServerFault if told.status >= 500 else UnexpectedAnswer
    return kind(told)


class JobEnded(LeptonError):
    """A job, or one of its inputs, has no result; ``code`` says why, ``job_id`` names the job."""

    def __init__(self, job_id: str, code: str, message: str) -> None:
        super().__init__(job_id, code, message)
        self.job_id = job_id
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.message} [{self.job_id}: {self.code}]"


class JobFailed(JobEnded):
    """It could not be computed."""


class JobCancelled(JobEnded):
    """It was cancelled."""


class JobExpired(JobEnded):
    """It was not done within its ``ttl_seconds``."""


class BatchFailed(LeptonError):
    """A batch was refused or has no results; ``errors`` are what is wrong with its file."""

    code = "batch_failed"

    def __init__(self, batch_id: str, state: str, errors: list[dict[str, Any]]) -> None:
        super().__init__(batch_id, state, errors)
        self.batch_id = batch_id
        self.state = state
        self.errors = errors

    def __str__(self) -> str:
        said = "; ".join(
            f"line {one['line']}: {one['message']}" if one.get("line") else str(one.get("message"))
            for one in self.errors[:3]
        )
        more = f" and {len(self.errors) - 3} more" if len(self.errors) > 3 else ""
        return f"{self.batch_id} has {self.state}" + (f": {said}{more}" if said else "")


class StillWaiting(LeptonError, TimeoutError):
    """It has not ended in the time that was given; it goes on. ``ids`` name what is meant."""

    code = "still_waiting"

    def __init__(self, ids: tuple[str, ...], seconds: float) -> None:
        super().__init__(ids, seconds)
        self.ids = ids
        self.seconds = seconds

    def __str__(self) -> str:
        named = ", ".join(self.ids[:3]) + (
            f" and {len(self.ids) - 3} more" if len(self.ids) > 3 else ""
        )
        return f"{named} had not ended after {self.seconds:g} s; wait again, or cancel"
