"""How both clients make batches, with a scripted server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from lepton_tasks.client import (
    InvalidRequest,
)
from lepton_tasks.errors import InvalidInput
from tests.support.scripted_http import HANG_UP, Say, ScriptedServer

FILE = {"id": "file_1", "bytes": 6, "created_at": 1, "filename": "a.jsonl", "purpose": "batch"}


def batch(status: str, **fields: Any) -> dict[str, Any]:
    return {"id": "batch_1", "endpoint": "/v1/jobs", "status": status, "created_at": 1} | fields


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


def test_a_batch_of_a_task_knows_its_outputs(client: Any, server: ScriptedServer) -> None:
    server.say(Say(200, FILE), Say(200, batch("validating")))
    made = client.sentiment.batch(["很好"], options={"language": "zh"}, priority="normal")
    assert uploaded(server.asked[0])[0]["body"] == {
        "task": "sentiment",
        "input": "很好",
        "options": {"language": "zh"},
    }
    assert server.asked[1].json["priority"] == "normal"
    assert (made.id, made._outputs.task) == ("batch_1", "sentiment")


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
