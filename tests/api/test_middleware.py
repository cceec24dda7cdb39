"""Around a request: an id on every answer, one log line without content, a crash as a 500."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from api import middleware
from api.middleware import RequestContext

CANARY = "金丝雀-canary"
App = Callable[[Scope, Receive, Send], Awaitable[None]]


async def nothing_comes() -> Message:
    return {"type": "http.disconnect"}


def scope_of(path: str = "/v1/jobs", query: bytes = b"", **more: Any) -> Scope:
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": query,
        "headers": [],
        **more,
    }


def call(app: App, scope: Scope) -> list[Message]:
    """What an application behind the middleware sends."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(RequestContext(app)(scope, nothing_comes, send))
    return sent


def id_of(start: Message) -> str:
    [found] = [value for name, value in start["headers"] if name == b"x-request-id"]
    return str(found.decode())


def error_of(sent: list[Message]) -> dict[str, Any]:
    error: dict[str, Any] = orjson.loads(sent[1]["body"])["error"]
    return error


async def fine(scope: Scope, receive: Receive, send: Send) -> None:
    scope["route"] = SimpleNamespace(path="/v1/jobs/{job_id}")
    await PlainTextResponse("好", 202)(scope, receive, send)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


def test_an_answer_gets_an_id_of_its_own(logged: pytest.LogCaptureFixture) -> None:
    answers = [call(fine, scope_of()) for _ in range(2)]
    first, second = (id_of(start) for start, _ in answers)
    assert first.startswith("req_") and first != second
    assert [start["status"] for start, _ in answers] == [202, 202]
    assert first in logged.text and second in logged.text


def test_the_log_names_the_route_and_nothing_of_the_request(
    logged: pytest.LogCaptureFixture,
) -> None:
    call(fine, scope_of(f"/v1/jobs/{CANARY}", f"after={CANARY}".encode()))
    [line] = [record.getMessage() for record in logged.records if record.name == "api.access"]
    assert line.startswith("POST /v1/jobs/{job_id} 202 ")
    assert "canary" not in logged.text


def test_a_url_that_nobody_serves_has_no_route(logged: pytest.LogCaptureFixture) -> None:
    async def missing(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("", 404)(scope, receive, send)

    call(missing, scope_of(f"/{CANARY}"))
    assert "POST (no route) 404 " in logged.text
    assert "canary" not in logged.text


def test_a_crash_is_a_500_that_says_nothing_of_it(logged: pytest.LogCaptureFixture) -> None:
    async def crash(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError(CANARY)

    sent = call(crash, scope_of())
    assert sent[0]["status"] == 500
    assert error_of(sent)["code"] == "internal_error"
    assert "canary" not in sent[1]["body"].decode() + logged.text
    # The operator finds the place by the id that the client has.
    assert f"RuntimeError in {id_of(sent[0])}" in logged.text
    assert "in crash" in logged.text
    assert "POST (no route) 500 " in logged.text


def test_a_crash_in_the_middle_of_an_answer_starts_no_second_one(
    logged: pytest.LogCaptureFixture,
) -> None:
    async def crash(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError(CANARY)

    [start] = call(crash, scope_of())
    assert start["status"] == 200
    assert "RuntimeError in req_" in logged.text
    assert "canary" not in logged.text


def test_a_client_that_is_gone_is_no_error(logged: pytest.LogCaptureFixture) -> None:
    async def gone(scope: Scope, receive: Receive, send: Send) -> None:
        raise ClientDisconnect

    assert call(gone, scope_of()) == []
    assert "POST (no route) 499 " in logged.text
    assert not [record for record in logged.records if record.levelno >= logging.WARNING]


def test_a_client_that_takes_nothing_any_more_is_gone(
    logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "STALL_SECONDS", 0.01)
    ended: list[str] = []

    async def stalled(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await fine(scope, receive, send)
        except ClientDisconnect:
            ended.append("let go")
            raise

    asyncio.run(RequestContext(stream)(scope_of(), nothing_comes, stalled))
    assert ended == ["let go"]
    assert "POST /v1/jobs/{job_id} 499 " in logged.text
    assert not [record for record in logged.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("path", "query"), [("/v1/jobs/\0", b""), ("/v1/jobs", b"after=%00"), ("/\0", b"%00")]
)
def test_a_url_with_a_nul_reaches_nobody(
    path: str, query: bytes, logged: pytest.LogCaptureFixture
) -> None:
    reached: list[Scope] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope)

    sent = call(note, scope_of(path, query))
    assert reached == []
    assert sent[0]["status"] == 400
    assert error_of(sent)["code"] == "invalid_url"
    assert id_of(sent[0]) in logged.text


def test_stopping_is_not_taken_for_a_crash(logged: pytest.LogCaptureFixture) -> None:
    async def cancelled(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        call(cancelled, scope_of())
    assert "CancelledError" not in logged.text


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_what_is_no_request_passes_untouched(kind: str, logged: pytest.LogCaptureFixture) -> None:
    reached: list[Scope] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope)
        await send({"type": f"{kind}.startup.complete"})

    scope = {"type": kind}
    assert call(note, scope) == [{"type": f"{kind}.startup.complete"}]
    assert reached == [scope]
    assert not [record for record in logged.records if record.name == "api.access"]
