"""A server that speaks as much of OpenAI's API as an upstream does; prompts say what it does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.support.serving import serving

FOUND = {
    "/v1/embeddings": {"data": [{"index": 0, "embedding": [3.0, 0.0, -4.0]}]},
    "/v1/moderations": {
        "results": [
            {
                "categories": {"hate": True, "violence": False, "self-harm": False, "new": True},
                "category_scores": {"hate": 0.3, "violence": 0.2, "self-harm": 0.0, "new": 0.9},
                "unsupported_categories": ["self-harm"],
            }
        ]
    },
}
"""Answers to an input, whatever it is."""
USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}


@dataclass
class Upstream:
    """What was asked, and a gate for those who are to wait.

    ``say TEXT`` answers, word by word where it streams; ``status N [SECONDS]`` refuses;
    ``garbage`` answers no JSON; ``break`` ends in the middle; ``hold`` says a word and waits.
    """

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    under_way: int = 0
    most_under_way: int = 0

    async def answer(self, request: Request) -> Response:
        """Do what the prompt says."""
        body = await request.json()
        self.bodies.append(body)
        self.paths.append(request.url.path)
        self.keys.append(request.headers.get("authorization"))
        if "input" in body:
            return JSONResponse(FOUND[request.url.path])
        prompt = body["prompt"] if "prompt" in body else body["messages"][-1]["content"]
        verb, _, rest = prompt.partition(" ")
        chats = "messages" in body
        if verb == "status":
            status, _, seconds = rest.partition(" ")
            error = {"message": f"no: {prompt}", "code": "context_length_exceeded"}
            headers = {"retry-after": seconds} if seconds else {}
            return JSONResponse({"error": error}, int(status), headers)
        if verb == "garbage":
            return PlainTextResponse("<html>")
        if body.get("stream"):
            return StreamingResponse(
                self._stream(verb, rest, chats), media_type="text/event-stream"
            )
        if verb == "hold":
            async with self._counted():
                await self._wait()
        choice = {"index": 0, "finish_reason": "stop", **_whole(rest, chats)}
        return JSONResponse({"choices": [choice], "usage": USAGE})

    async def _stream(self, verb: str, rest: str, chats: bool) -> AsyncIterator[bytes]:
        async with self._counted():
            words = rest.split(" ")
            for place, word in enumerate(words):
                text = word if place == len(words) - 1 else word + " "
                yield _event({"choices": [{"index": 0, **_part(text, chats)}]})
                yield b": a comment\n\n"
            if verb == "hold":
                await self._wait()
            if verb == "break":
                return
            yield _event({"choices": [{"index": 0, "finish_reason": "length", **_part("", chats)}]})
            yield _event({"choices": [], "usage": USAGE})
            yield b"data: [DONE]\n\n"

    async def _wait(self) -> None:
        while not self.gate.is_set():
            await asyncio.sleep(0.02)

    def _counted(self) -> _Counted:
        return _Counted(self)


class _Counted:
    """Counts who is under way, until the answer has ended or its client has gone."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def __aenter__(self) -> None:
        self._upstream.under_way += 1
        self._upstream.most_under_way = max(self._upstream.most_under_way, self._upstream.under_way)

    async def __aexit__(self, *error: object) -> None:
        self._upstream.under_way -= 1


def _whole(text: str, chats: bool) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text}} if chats else {"text": text}


def _part(text: str, chats: bool) -> dict[str, Any]:
    return {"delta": {"content": text}} if chats else {"text": text}


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


@contextmanager
def upstream() -> Iterator[Upstream]:
    """Run one while the block runs."""
    scripted = Upstream()
    routes = [
        Route(path, scripted.answer, methods=["POST"])
        for path in ("/v1/completions", "/v1/chat/completions", *FOUND)
    ]
    with serving(uvicorn.Config(Starlette(routes=routes), log_config=None)) as url:
        scripted.url = f"{url}/v1"
        try:
            yield scripted
        finally:
            scripted.gate.set()
