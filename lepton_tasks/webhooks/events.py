"""Bodies of webhook events: thin JSON, frozen when the thing happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

INLINE_LIMIT: Final = 16 * 1024
"""Bytes of a result that still travel inside the event; a larger one is named by its URL."""


def job_event(event_id: str, event_type: str, job: Mapping[str, Any]) -> bytes:
    """Body of ``job.*``: the job without its inputs, its result inline while small."""
    data = _common(job) | {"object": "job", "url": f"/v1/jobs/{job['id']}"}
    for name in ("result", "error"):
        text = job[name]
        if text is not None and len(text.encode()) <= INLINE_LIMIT:
            data[name] = orjson.Fragment(text)
    return _envelope(event_id, event_type, job, data)


def batch_event(event_id: str, event_type: str, batch: Mapping[str, Any]) -> bytes:
    """Body of ``batch.*``: the batch and its counts."""
    data = _common(batch) | {
        "object": "batch",
        "request_counts": {
            "total": batch["total_items"],
            "completed": batch["done_items"] - batch["failed_items"],
            "failed": batch["failed_items"],
        },
    }
    return _envelope(event_id, event_type, batch, data)


def _common(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "task": row["task"],
        "state": row["state"],
        "created_at": row["created_at"],
        "finished_at": row["finished_at"],
        "metadata": orjson.Fragment(row["metadata"]),
    }


def _envelope(
    event_id: str, event_type: str, row: Mapping[str, Any], data: dict[str, Any]
) -> bytes:
    return orjson.dumps(
        {
            "id": event_id,
            "object": "event",
            "type": event_type,
            "created_at": int(row["finished_at"]),
            "data": data,
        }
    )
