"""Texts that grow, over a scripted server, by both clients."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from lepton_tasks.client import NoConnection, ServerFault
from tests.support.scripted_http import HANG_UP, Say, ScriptedServer


def events(*values: Any, done: bool = True) -> bytes:
    lines = [b"data: " + orjson.dumps(value) + b"\n\n" for value in values]
    return b"".join(lines) + (b"data: [DONE]\n\n" if done else b"")


def delta(text: str | None, reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    return {"id": "chatcmpl_7", "choices": [choice]}


USAGE = {"id": "chatcmpl_7", "choices": [], "usage": {"completion_tokens": 2}}


def test_a_chat_comes_piece_by_piece(client: Any, server: ScriptedServer) -> None:
    body = events(delta("今天"), delta("天气"), delta(None, "stop"), USAGE)
    server.say(HANG_UP, Say(503), Say(200, body=body))
    with client.chat.stream("你好", max_tokens=5, priority="bulk", seed=None) as text:
        assert list(text) == ["今天", "天气"]
    assert (text.text, text.finish_reason, text.job_id) == ("今天天气", "stop", "job_7")
    assert text.usage == {"completion_tokens": 2}
    asked = server.asked[-1]
    assert asked.path == "/v1/chat/completions"
    assert asked.json == {
        "messages": [{"role": "user", "content": "你好"}],
        "max_tokens": 5,
        "service_tier": "flex",
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert asked.headers["x-stainless-retry-count"] == "2"
    assert "idempotency-key" not in asked.headers


def test_a_prompt_is_continued(client: Any, server: ScriptedServer) -> None:
    chunk = {"id": "cmpl_7", "choices": [{"index": 0, "text": "upon", "finish_reason": "length"}]}
    server.say(Say(200, body=events(chunk)))
    assert list(client.generation.stream("Once", stop=["."])) == ["upon"]
    assert server.asked[0].path == "/v1/completions"
    assert server.asked[0].json["prompt"] == "Once"


def test_a_text_that_breaks_off_is_an_error(client: Any, server: ScriptedServer) -> None:
    for said in (
        Say(200, body=events(delta("今天"), done=False), cut=True),
        Say(200, body=events(delta("今天"), done=False)),
    ):
        server.say(said)
        text = client.chat.stream("你好")
        with pytest.raises(NoConnection):
            list(text)
        assert text.text == "今天"
        assert text.finish_reason is None
    assert len(server.asked) == 2  # what has begun is not begun again


def test_an_error_in_the_middle_is_raised(client: Any, server: ScriptedServer) -> None:
    error = {"error": {"code": "out_of_memory", "message": "no memory", "type": "server_error"}}
    server.say(Say(200, body=events(delta("今天"), error, done=False)))
    with pytest.raises(ServerFault, match="no memory") as caught:
        list(client.chat.stream("你好"))
    assert caught.value.code == "out_of_memory"


def test_an_unknown_priority_is_named_before_anything_is_sent(client: Any) -> None:
    with pytest.raises(ValueError, match="urgent"):
        client.chat.stream("你好", priority="urgent")
