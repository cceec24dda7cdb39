"""The request that submits a job: what it may have, and its inputs as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypedDict

from pydantic import BaseModel

from lepton_tasks.client.calling import with_key
from lepton_tasks.client.messages import Request
from lepton_tasks.queues import Priority

PATH: Final = "/v1/jobs"

Input = str | Mapping[str, Any] | BaseModel | list[Any]
"""A text, or the fields of an item that is more than one; of ``chat``, a list of messages, too."""
Options = Mapping[str, Any] | BaseModel
When = float | str | datetime


class JobFields(TypedDict, total=False):
    """What a job may have beside its task and input; see docs/api.md.

    ``idempotency_key`` makes a repeated call, of another process too, answer with the first
    job. ``run_at`` is Unix seconds, ISO 8601 or a datetime with a time zone.
    """

    options: Options | None
    priority: Priority | str | None
    ttl_seconds: float | None
    run_at: When | None
    webhook: str | None
    metadata: Mapping[str, str] | None
    idempotency_key: str | None


def submission(
    task: str,
    input: Input | None = None,
    *,
    inputs: Sequence[Input] | None = None,
    options: Options | None = None,
    priority: Priority | str | None = None,
    ttl_seconds: float | None = None,
    run_at: When | None = None,
    webhook: str | None = None,
    metadata: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Request:
    """The request that submits a job; sent again it makes no second one.

    >>> request = submission("moderation", "你好", idempotency_key="order-7")
    >>> request.json, request.headers["idempotency-key"]
    ({'task': 'moderation', 'input': '你好'}, 'order-7')
    """
    fields: dict[str, Any] = {
        "task": task,
        "input": None if input is None else item_json(task, input),
        "inputs": None if inputs is None else [item_json(task, one) for one in inputs],
        "options": None if options is None else _plain(options),
        "priority": None if priority is None else str(priority),
        "ttl_seconds": ttl_seconds,
        "run_at": run_at.isoformat() if isinstance(run_at, datetime) else run_at,
        "webhook": webhook,
        "metadata": None if metadata is None else dict(metadata),
    }
    body = {name: value for name, value in fields.items() if value is not None}
    return with_key(Request("POST", PATH, json=body), idempotency_key)


def item_json(task: str, value: Any) -> Any:
    """An input as JSON; of ``chat``, a text or a list of messages is a dialogue."""
    if task == "chat" and isinstance(value, str):
        return {"messages": [{"role": "user", "content": value}]}
    if task == "chat" and isinstance(value, list):
        return {"messages": [_plain(message) for message in value]}
    return _plain(value)


def _plain(value: Any) -> Any:
    """A pydantic model as its fields that were given; other values as they are."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    return dict(value) if isinstance(value, Mapping) else value
