"""Jobs and files as a server tells of them, for tests of clients."""

from __future__ import annotations

from typing import Any

FILE = {
    "id": "file_1",
    "object": "file",
    "bytes": 6,
    "created_at": 1,
    "filename": "a.jsonl",
    "purpose": "batch",
    "status": "processed",
}


def accepted(job_id: str, state: str = "queued", task: str = "noop") -> dict[str, Any]:
    """What a submit is answered with."""
    return {
        "id": job_id,
        "object": "job",
        "task": task,
        "state": state,
        "priority": "normal",
        "created_at": 1.0,
    }


def job(job_id: str, state: str = "succeeded", **fields: Any) -> dict[str, Any]:
    """What a read is answered with."""
    return accepted(job_id, state) | {"attempts": 1, "run_at": 1.0, **fields}
