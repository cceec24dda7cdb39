"""Batches over a scripted server, by both clients: made on the fly, results each once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from lepton_tasks.client import (
    BatchFailed,
    BatchResult,
    ItemError,
    NoConnection,
    batches,
)
from lepton_tasks.client.batches import place_of
from lepton_tasks.errors import InvalidInput
from tests.support.scripted_http import HANG_UP, Say, ScriptedServer

FILE = {"id": "file_1", "bytes": 6, "created_at": 1, "filename": "a.jsonl", "purpose": "batch"}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_FIRST_PAUSE", 0.001)


def batch(status: str, **fields: Any) -> dict[str, Any]:
    return {"id": "batch_1", "endpoint": "/v1/jobs", "status": status, "created_at": 1} | fields


def line(custom_id: str, output: Any) -> dict[str, Any]:
    response = {"status_code": 200, "request_id": "r", "body": {"output": output}}
    return {
        "id": f"batch_req_{custom_id}",
        "custom_id": custom_id,
        "response": response,
        "error": None,
    }


def events(*lines: tuple[int, Any], status: str | None = None, cut: bool = False) -> Say:
    """Lines with their cursors as server-sent events, and the last one where there is a status."""
    said = "retry: 1000\n\n: waiting\n\n"
    for cursor, value in lines:
        said += f"id: {cursor}\ndata: {orjson.dumps(value).decode()}\n\n"
    if status is not None:
        said += f'id: 99\nevent: done\ndata: {{"status": "{status}"}}\n\n'
    return Say(200, body=said.encode(), cut=cut)


def test_results_come_while_it_runs_each_once(client: Any, server: ScriptedServer) -> None:
    late: dict[str, Any] = {"id": "r", "custom_id": "e", "response": None}
    late["error"] = {"code": "batch_expired", "message": "too late"}
    half = events((60, line("c", {"characters": 3}))).body[:-2]  # not all of an event
    server.say(
        Say(200, batch("validating")),
        events((20, line("a", {"characters": 1})), (40, line("b", {"characters": 2})), cut=True),
        Say(200, body=half, cut=True),
        HANG_UP,
        Say(503),
        events((60, line("c", {"characters": 3}))),  # a server that stops
        events(),
        Say(200, body=b'event: error\ndata: {"code": "store_unavailable"}\n\n'),
        events((80, line("d", {"error": {"code": "c", "message": "m"}})), status="completed"),
        events((30, late), status="completed"),
    )
    results = list(client.batches.results("batch_1"))
    assert [one.custom_id for one in results] == ["a", "b", "c", "d", "e"]
    expected = BatchResult("c", {"characters": 3}, "batch_req_c", 200, "output:60")
    assert results[2] == expected
    assert results[3].output == ItemError("c", "m")
    assert results[4].output == ItemError("batch_expired", "too late")
    asked = server.asked[1:]
    assert [one.params["file"] for one in asked] == ["output"] * 8 + ["errors"]
    places = [one.headers.get("last-event-id") for one in asked]
    assert places == [None, *["40"] * 4, *["60"] * 3, None]


def test_results_go_on_behind_a_cursor(client: Any, server: ScriptedServer) -> None:
    server.say(
        Say(200, batch("completed")),
        events((60, line("c", 3)), status="completed"),
        events(status="completed"),
        Say(200, batch("completed")),
        events((70, line("d", 4)), status="completed"),
    )
    assert [one.output for one in client.batches.results("batch_1", after="output:40")] == [3]
    [last] = client.batches.results("batch_1", after="errors:50")
    assert last.cursor == "errors:70"
    assert server.asked[1].headers["last-event-id"] == "40"
    assert server.asked[4].headers["last-event-id"] == "50"
    for wrong in ("40", "input:1", "output:x"):
        with pytest.raises(InvalidInput, match="after"):
            place_of(wrong)


def test_results_that_never_come_end_in_an_error(client: Any, server: ScriptedServer) -> None:
    server.say(Say(200, batch("in_progress")), *[events()] * 20)
    with pytest.raises(NoConnection, match="hung up"):
        list(client.batches.results("batch_1"))
    assert len(server.asked) == 10


def test_whoever_stops_early_hangs_up(client: Any, server: ScriptedServer) -> None:
    server.say(Say(200, batch("in_progress")), events((1, line("a", 1)), (2, line("b", 2))))
    results = client.batches.results("batch_1")
    assert next(results).output == 1
    results.close()
    assert len(server.asked) == 2


def test_a_batch_that_was_refused_says_why(
    client: Any, server: ScriptedServer, tmp_path: Path
) -> None:
    errors = {"object": "list", "data": [{"line": 3, "code": "c", "message": "no custom_id"}]}
    refused = Say(200, batch("failed", errors=errors))
    server.say(Say(200, batch("validating")), events(status="failed"), refused, refused)
    with pytest.raises(BatchFailed, match="line 3: no custom_id"):
        list(client.batches.results("batch_1"))
    with pytest.raises(BatchFailed):
        client.batches.download("batch_1", tmp_path / "out.jsonl")
