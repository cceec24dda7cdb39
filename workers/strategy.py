"""Celery's hook for our messages: no pool, no trace; the message goes to the intake.

A Celery ``Strategy`` decides what a worker does with each message of a task. Ours
makes a real Celery request of it, so that revoke, ``inspect`` and Flower work, and
hands it over. A message with our header stands for a stored job; any other comes
from a plain Celery producer and is adopted: its arguments become a row.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeGuard

import orjson
from celery.exceptions import InvalidTaskError
from celery.utils.imports import symbol_by_name
from celery.worker import state
from celery.worker.request import create_request_cls

from lepton_tasks.broker.messages import OWN_HEADER
from lepton_tasks.conversations import refuse_turn
from lepton_tasks.errors import InvalidInput
from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.queues import split_queue_name, task_of_message
from lepton_tasks.requests import Admission, JobRequest
from lepton_tasks.store.claims import Adoption
from workers.intake import Received
from workers.runtime import Runtime

logger = logging.getLogger(__name__)

MAX_ID_LENGTH = 255
_UNUSED: Final = {
    # With these no text of a producer could reach Celery's logs, events, counters or `inspect`.
    "argsrepr": "",
    "kwargsrepr": "",
    "shadow": None,
    # Times are the row's: by its own, Celery would hold a message back or drop it.
    "eta": None,
    "expires": None,
}
"""Headers that Celery's request does not see."""
_NO_ARGUMENTS: Final[tuple[Any, ...]] = ([], {}, {})
"""Payload of every message of ours, whatever its body says: the row holds the arguments."""


def strategy(task: Any, app: Any, consumer: Any, **_: Any) -> Callable[..., None]:
    """Return the handler that Celery calls on its event loop with each message of ``task``."""
    runtime: Runtime = consumer.controller.lepton_runtime
    admission: Admission = consumer.controller.lepton_admission
    tenant = str(app.conf.lepton_default_tenant)
    eventer = consumer.event_dispatcher
    request_class = create_request_cls(
        symbol_by_name(task.Request), task, consumer.pool, consumer.hostname, eventer, app=app
    )

    def handle(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> None:
        headers = {**message.headers, **_UNUSED}
        job_id = headers.get("id")
        if not _is_id(job_id):
            raise InvalidTaskError("the message has no usable task id")
        own = OWN_HEADER in headers
        payload = _NO_ARGUMENTS if own else message.payload
        if not (isinstance(payload, list | tuple) and len(payload) == 3):
            raise InvalidTaskError("the body is not [args, kwargs, embed]")
        request = request_class(
            message,
            on_ack=ack,
            on_reject=reject,
            app=app,
            hostname=consumer.hostname,
            eventer=eventer,
            task=task,
            connection_errors=consumer.connection_errors,
            body=[[], {}, payload[2]],
            headers=headers,
            decoded=True,
        )
        if request.revoked():
            return
        consumer.limits.spend(request.name)
        adoption = None
        if not own:
            adoption = adopt(admission, tenant, message, payload)
        request.send_event("task-received", name=request.name, args="", kwargs="", retries=0)
        state.task_reserved(request)
        runtime.put(Received(request, job_id, adoption))

    return handle


def adopt(admission: Admission, tenant: str, message: Any, payload: Any) -> Adoption:
    """Make a job of a plain Celery message; one that cannot be a job carries its error.

    Taken are ``args=[text]`` or ``[[text, …]]`` and the keywords ``input``, ``inputs``,
    ``options``, ``webhook`` and ``metadata``; Celery's eta and expires are honoured.
    """
    headers = message.headers
    job_id = headers["id"]
    task = task_of_message(headers["task"])
    _, priority = split_queue_name((message.delivery_info or {}).get("routing_key") or "")
    try:
        eta = _timestamp(headers.get("eta"), "eta")
        expires = _timestamp(headers.get("expires"), "expires")
        request = _request(task, payload, priority, eta)
        job = admission.admit(tenant, request)
        refuse_turn(job.turn, "a plain Celery message")
    except InvalidInput as error:
        detail = {"code": error.code, "message": str(error), "param": error.param}
        empty = NewJob(tenant, task, Payload((), single=True), 0, priority, id=job_id)
        return Adoption(empty, orjson.dumps(detail).decode())
    ttl = None if expires is None else expires - datetime.now(UTC).timestamp()
    return Adoption(
        NewJob(
            tenant=tenant,
            task=job.task,
            payload=job.payload,
            cost=job.cost,
            priority=priority,
            id=job_id,
            run_at=eta,
            ttl_seconds=ttl,
            webhook=job.webhook,
            metadata=job.metadata,
        )
    )


def _request(task: str, payload: Any, priority: str, eta: float | None) -> JobRequest:
    args, kwargs = payload[0], payload[1]
    if not isinstance(args, list | tuple) or not isinstance(kwargs, dict):
        raise InvalidInput("args must be an array and kwargs an object", "args", "invalid_type")
    fields = dict(kwargs)
    if len(args) > 1:
        raise InvalidInput("send one positional argument: a text or an array", "args")
    if args:
        name = "inputs" if isinstance(args[0], list) else "input"
        if name in fields:
            raise InvalidInput(f"{name} is given twice", name)
        fields[name] = args[0]
    unknown = set(fields) - {"input", "inputs", "options", "webhook", "metadata"}
    if unknown:
        raise InvalidInput(f"unknown argument {min(unknown)[:64]!r}", "kwargs", "unknown_field")
    return JobRequest(task=task, priority=priority, run_at=eta, **fields)


def _is_id(value: object) -> TypeGuard[str]:
    r"""Whether a database can hold it; NUL or half a surrogate pair would stop every claim.

    >>> [_is_id(value) for value in ("job_1", "作业 1", "", 7, "a\x00", "\ud800")]
    [True, True, False, False, False, False]
    """
    return isinstance(value, str) and 1 <= len(value) <= MAX_ID_LENGTH and value.isprintable()


def _timestamp(value: Any, param: str) -> float | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{param} is not an ISO 8601 time", param) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()
