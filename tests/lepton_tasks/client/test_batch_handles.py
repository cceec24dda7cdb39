"""Handles of batches, of both clients of a scripted server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lepton_tasks.client import (
    StillWaiting,
    batches,
)
from tests.support.scripted_http import Say, ScriptedServer

FILE = {"id": "file_1", "bytes": 6, "created_at": 1, "filename": "a.jsonl", "purpose": "batch"}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_FIRST_PAUSE", 0.001)


def batch(status: str, **fields: Any) -> dict[str, Any]:
    return {"id": "batch_1", "endpoint": "/v1/jobs", "status": status, "created_at": 1} | fields


def test_a_batch_is_waited_for_and_downloaded(
    client: Any, server: ScriptedServer, tmp_path: Path
) -> None:
    counts = {"total": 3, "completed": 2, "failed": 1}
    server.say(
        Say(200, batch("in_progress")),
        Say(200, batch("finalizing")),
        Say(200, batch("completed", output_file_id="file_2", request_counts=counts)),
        Say(200, body=b"{}\n"),
    )
    made = client.batches.get("batch_1").wait()
    assert (made.status, made.counts.completed, made.counts.failed) == ("completed", 2, 1)
    path = made.download(tmp_path / "out.jsonl")
    assert path.read_bytes() == b"{}\n"
    assert server.asked[-1].path == "/v1/files/file_2/content"


def test_what_has_not_ended_is_not_downloaded(
    client: Any, server: ScriptedServer, tmp_path: Path
) -> None:
    server.say(*[Say(200, batch("in_progress"))] * 30)
    with pytest.raises(StillWaiting, match="batch_1"):
        client.batches.wait("batch_1", timeout=0.01)
    with pytest.raises(StillWaiting):
        client.batches.download("batch_1", tmp_path / "out.jsonl")
    nothing = batch("completed")
    server._answers.clear()
    server.say(Say(200, nothing))
    with pytest.raises(FileNotFoundError, match="no line succeeded"):
        client.batches.download("batch_1", tmp_path / "out.jsonl")


def test_batches_are_listed_and_cancelled(client: Any, server: ScriptedServer) -> None:
    listed = {"object": "list", "first_id": "batch_1", "last_id": "batch_1", "has_more": False}
    server.say(
        Say(200, listed | {"data": [batch("in_progress")]}),
        Say(200, batch("cancelling")),
        Say(200, batch("cancelling")),
    )
    [found] = client.batches.list()
    assert found.cancel().status == "cancelling"
    assert client.batches.cancel("batch_1").status == "cancelling"
    assert server.asked[1].path == "/v1/batches/batch_1/cancel"
