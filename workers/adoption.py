"""From a plain Celery message to the job it asks for, and what is to follow it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from lepton_tasks.canvas.canvas import Canvas, read_canvas
from lepton_tasks.conversations import refuse_turn
from lepton_tasks.errors import InvalidInput
from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.queues import split_queue_name, task_of_message
from lepton_tasks.requests import Admission, JobRequest
from lepton_tasks.store.adoptions import Adoption

_TAKEN: Final = frozenset({"input", "inputs", "options", "webhook", "metadata", "take"})
"""Keywords of our tasks for plain Celery producers."""
_DEEPEST: Final = 32


def adopt(admission: Admission, tenant: str, message: Any, payload: Any) -> Adoption:
    """Make a job of a plain Celery message; one that cannot be a job carries its error.

    Taken are ``args=[text]`` or ``[[text, …]]`` and the keywords ``input``, ``inputs``,
    ``options``, ``webhook``, ``metadata`` and ``take``; Celery's eta and expires are honoured,
    and so is what the message says is to follow.

    Raises:
        CanvasRefused: what is to follow cannot be kept.
    """
    headers = message.headers
    job_id = headers["id"]
    canvas = read_canvas(job_id, headers, payload[2])
    task = task_of_message(headers["task"])
    _, priority = split_queue_name((message.delivery_info or {}).get("routing_key") or "")
    try:
        eta = _timestamp(headers.get("eta"), "eta")
        expires = _timestamp(headers.get("expires"), "expires")
        request = _request(task, payload, priority, eta)
        job = admission.admit(tenant, request)
        refuse_turn(job.turn, "a plain Celery message")
    except InvalidInput as error:
        param = None if error.param is None else _whole(error.param)
        detail = {"code": error.code, "message": _whole(str(error)), "param": param}
        empty = NewJob(tenant, task, Payload((), single=True), 0, priority, id=job_id)
        return Adoption(empty, orjson.dumps(detail).decode(), canvas)
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
        ),
        canvas=_of_shape(canvas, job.payload.single),
    )


def _of_shape(canvas: Canvas | None, single: bool) -> Canvas | None:
    return canvas if canvas is None or canvas.single == single else replace(canvas, single=single)


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
    if unknown := set(fields) - _TAKEN:
        raise InvalidInput(f"unknown argument {min(unknown)[:64]!r}", "kwargs", "unknown_field")
    if (field := fields.pop("take", None)) is not None:
        for name in fields.keys() & {"input", "inputs"}:
            fields[name] = taken(fields[name], field)
    return JobRequest(task=task, priority=priority, run_at=eta, **fields)


def _whole(text: str) -> str:
    """A text that quotes a name of the producer's, without halves of surrogate pairs."""
    return text.encode(errors="replace").decode()


def taken(value: Any, field: Any, depth: int = 0) -> Any:
    """What ``field`` names in an earlier task's output, or in each of a list of them.

    >>> taken({"text": "hi"}, "text"), taken([{"a": {"b": 1}}, {"a": {"b": 2}}], "a.b")
    ('hi', [1, 2])

    Raises:
        InvalidInput: an output has no such field, or lists are nested deeper than any outputs.
    """
    if not isinstance(field, str) or not field:
        raise InvalidInput("take must name a field of the earlier output, as text", "take")
    if isinstance(value, list):
        if depth > _DEEPEST:
            raise InvalidInput("the earlier outputs are nested too deeply", "take")
        return [taken(one, field, depth + 1) for one in value]
    for name in field.split("."):
        if not isinstance(value, dict) or name not in value:
            raise InvalidInput(f"the earlier output has no field {field[:64]!r}", "take")
        value = value[name]
    return value


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
