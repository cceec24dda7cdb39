"""Batches over a scripted server, by both clients: made on the fly, results each once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from lepton_tasks.client import (
    BatchFailed,
    BatchResult,
    InvalidRequest,
    ItemError,
    NoConnection,
    StillWaiting,
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


def uploaded(asked: Any) -> list[Any]:
    """Lines of the file that was uploaded."""
    whole = asked.body.partition(b"octet-stream\r\n\r\n")[2].rpartition(b"\r\n--")[0]
    return [orjson.loads(one) for one in whole.splitlines()]


def test_items_become_a_file_and_a_batch(client: Any, server: ScriptedServer) -> None:
    server.say(HANG_UP, Say(200, FILE), HANG_UP, Say(200, batch("validating")))
    texts = (text for text in ("很好", "bad"))
    made = client.batches.create(
        texts,
        task="sentiment",
        options={"language": "zh"},
        completion_window="1h",
        metadata={"order": "7"},
        priority="bulk",
        webhook="https://example.test/hook",
        output_seconds=3600,
    )
    assert (made.id, made.status, made.ended) == ("batch_1", "validating", False)
    body = {"task": "sentiment", "input": "很好", "options": {"language": "zh"}}
    request = {"custom_id": "1", "method": "POST", "url": "/v1/jobs", "body": body}
    for asked in server.asked[:2]:
        assert uploaded(asked) == [
            request,
            request | {"custom_id": "2", "body": body | {"input": "bad"}},
        ]
    assert server.asked[3].json == {
        "input_file_id": "file_1",
        "endpoint": "/v1/jobs",
        "completion_window": "1h",
        "metadata": {"order": "7"},
        "priority": "bulk",
        "webhook": "https://example.test/hook",
        "output_expires_after": {"anchor": "created_at", "seconds": 3600},
    }
    assert len({asked.headers["idempotency-key"] for asked in server.asked[2:]}) == 1


def test_a_file_of_requests_is_taken_as_it_is(
    client: Any, server: ScriptedServer, tmp_path: Path
) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_bytes(b'{"custom_id": "a"}\n')
    server.say(Say(200, FILE), Say(200, batch("validating")), Say(200, batch("validating")))
    client.batches.create(str(path), endpoint="/v1/moderations")
    assert uploaded(server.asked[0]) == [{"custom_id": "a"}]
    client.batches.create(input_file_id="file_9", endpoint="/v1/moderations", idempotency_key="k")
    assert server.asked[2].json["input_file_id"] == "file_9"
    assert server.asked[2].headers["idempotency-key"] == "k"


def test_a_file_that_no_batch_is_made_of_goes_again(client: Any, server: ScriptedServer) -> None:
    wrong = {"error": {"code": "invalid_json_line", "message": "line 1: no JSON", "param": None}}
    server.say(Say(200, FILE), Say(400, wrong), Say(200, {"deleted": True}))
    with pytest.raises(InvalidRequest, match="line 1"):
        client.batches.create(["x"], task="noop")
    assert (server.asked[2].method, server.asked[2].path) == ("DELETE", "/v1/files/file_1")


@pytest.mark.parametrize(
    ("lines", "fields", "named"),
    [
        (["x"], {}, "endpoint"),
        (["x"], {"task": "noop", "endpoint": "/v1/jobs"}, "endpoint"),
        ([], {"task": "noop"}, "no items"),
        (None, {"task": "noop"}, "input_file_id"),
        (["x"], {"input_file_id": "file_1", "endpoint": "/v1/jobs"}, "input_file_id"),
        (None, {"input_file_id": "file_1"}, "endpoint"),
    ],
)
def test_what_no_batch_can_be_made_of(client: Any, lines: Any, fields: Any, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        client.batches.create(lines, **fields)


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
