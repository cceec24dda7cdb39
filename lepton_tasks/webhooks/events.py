"""Webhook events: which there are, and their bodies, thin JSON frozen when the thing happens.

The shape is that of OpenAI's webhooks (``id``, ``object``, ``type``, ``created_at``,
``data``), so that its client unwraps ours, with the ``timestamp`` that Standard Webhooks
recommends and a ``sequence``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

JOB_EVENTS: Final = (
    "job.succeeded",
    "job.failed",
    "job.cancelled",
    "job.expired",
    "job.dead",
)
BATCH_EVENTS: Final = ("batch.completed", "batch.failed", "batch.expired", "batch.cancelled")
PROGRESS: Final = "batch.progress"
"""At each tenth of a sealed batch; only for endpoints that name it."""
ORDINARY_EVENTS: Final = (*JOB_EVENTS, *BATCH_EVENTS)
"""What an endpoint gets that names no events."""
EVENT_TYPES: Final = (*ORDINARY_EVENTS, PROGRESS)

MAX_BODY_BYTES: Final = 20_000
"""No body is larger. What does not fit is left out and named in ``data.omitted``."""
_ENVELOPE_BYTES: Final = 1_000
"""More than everything but the three parts that can be long."""

_FILES: Final = ("endpoint", "input_file_id", "output_file_id", "error_file_id")

MakeData = Callable[[Mapping[str, Any]], dict[str, Any]]
"""From a stored row to an event's ``data``."""


def wants(events: Sequence[str] | None, event_type: str) -> bool:
    """Whether an endpoint whose filter is ``events`` gets events of a type.

    >>> wants(None, "job.dead"), wants(None, "batch.progress"), wants(["job.dead"], "job.failed")
    (True, False, False)
    """
    return event_type in (ORDINARY_EVENTS if events is None else events)


def event_body(
    event_id: str, event_type: str, sequence: int, at: float, data: Mapping[str, Any]
) -> bytes:
    """Body of an event that happened ``at`` a Unix time, the tenant's ``sequence``-th.

    >>> event_body("evt_1", "job.dead", 7, 1.5, {"id": "job_1"})[:74]
    b'{"id":"evt_1","object":"event","type":"job.dead","created_at":1,"timestamp'
    """
    return orjson.dumps(
        {
            "id": event_id,
            "object": "event",
            "type": event_type,
            "created_at": int(at),
            "timestamp": datetime.fromtimestamp(at, UTC).isoformat(),
            "sequence": sequence,
            "data": data,
        }
    )


def job_data(job: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` of ``job.*``: the job without its inputs, its result inline while it is small."""
    data = _common(job) | {"object": "job", "url": f"/v1/jobs/{job['id']}"}
    return _with_parts(data, job, ("metadata", "error", "result"))


def batch_data(batch: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` of ``batch.*``: the batch and its counts of lines, without what they say.

    One of an uploaded file tells its files, too, and what was wrong where it was refused.
    """
    data = _common(batch) | {"object": "batch", "url": f"/v1/batches/{batch['id']}"}
    if not batch["endpoint"]:
        counts = {
            "total": batch["total_items"],
            "completed": batch["done_items"] - batch["failed_items"],
            "failed": batch["failed_items"],
        }
        return _with_parts(data | {"request_counts": counts}, batch, ("metadata",))
    data |= {"task": batch["task"] or None, **{name: batch[name] for name in _FILES}}
    data["request_counts"] = {
        "total": batch["total_lines"],
        "completed": batch["completed_lines"],
        "failed": batch["failed_lines"],
    }
    return _with_parts(data, batch, ("metadata", "errors"))


def sample_data(event_type: str) -> dict[str, Any]:
    """``data`` of a test event: as thin as can be, and marked.

    >>> sample_data("batch.completed")
    {'id': 'batch_test', 'object': 'batch', 'state': 'completed', 'test': True}
    """
    kind, _, state = event_type.partition(".")
    return {"id": f"{kind}_test", "object": kind, "state": state, "test": True}


def _common(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "task", "state", "created_at", "finished_at")
    return {name: row[name] for name in names}


def _with_parts(
    data: dict[str, Any], row: Mapping[str, Any], names: Sequence[str]
) -> dict[str, Any]:
    room = MAX_BODY_BYTES - _ENVELOPE_BYTES
    omitted = []
    for name in names:
        text = row[name]
        if text is None:
            continue
        size = len(text.encode())
        if size <= room:
            data[name] = orjson.Fragment(text)
            room -= size
        else:
            omitted.append(name)
    return data | {"omitted": omitted} if omitted else data
