"""Texts that are read while they grow: chat and generation, over server-sent events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict

import orjson

from lepton_tasks.client.calling import Caller
from lepton_tasks.client.effects import Close, Emit, Steps, read
from lepton_tasks.client.errors import ServerFault, Told
from lepton_tasks.client.messages import Failure, Request, failed
from lepton_tasks.client.sse import Event, EventReader
from lepton_tasks.queues import Priority

_TIERS: Final = {Priority.HIGH: "priority", Priority.NORMAL: "default", Priority.BULK: "flex"}
_FIRST_PIECE_SECONDS: Final = 120.0
"""The server lets a call wait so long for its first piece, where nothing else is set."""
_DONE: Final = "[DONE]"


class WritingFields(TypedDict, total=False):
    """How to write; what is left out is as the task has it (docs/openai.md)."""

    model: str | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    seed: int | None
    stop: str | Sequence[str] | None
    priority: Priority | str | None
    metadata: Mapping[str, str] | None


@dataclass(slots=True)
class Written:
    """A text as far as it was read. ``usage`` are tokens, once it has ended."""

    id: str | None = None
    pieces: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    usage: Mapping[str, int] | None = None
    request_id: str | None = None


def writing_request(task: str, prompt: Any, fields: WritingFields) -> Request:
    """The request for a text of ``chat`` or ``generation``, piece by piece.

    >>> writing_request("chat", "你好", {"max_tokens": 5}).json["messages"]
    [{'role': 'user', 'content': '你好'}]
    >>> writing_request("generation", "Once", {"priority": "bulk"}).json["service_tier"]
    'flex'
    """
    given = {name: value for name, value in fields.items() if value is not None}
    priority = given.pop("priority", None)
    if priority is not None:
        given["service_tier"] = _TIERS.get(Priority(str(priority)))
    body = {**given, "stream": True, "stream_options": {"include_usage": True}}
    if task == "chat":
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        body["messages"] = list(messages)
        path = "/v1/chat/completions"
    else:
        body["prompt"] = prompt
        path = "/v1/completions"
    return Request(
        "POST",
        path,
        json=body,
        headers={"accept": "text/event-stream"},
        patience=_FIRST_PIECE_SECONDS,
    )


def write(caller: Caller, request: Request, written: Written) -> Steps[None]:
    """Emit the pieces of a text and note in ``written`` what comes beside them.

    It carries no idempotency key: whoever hangs up early ends the writing, and a request that
    is sent again before the first piece is marked, so that the server finds its job.

    Raises:
        ClientError: it cannot be written, or broke off.
    """
    stream = yield from caller.open(request)
    written.request_id = stream.head.headers.get("x-request-id")
    reader = EventReader()
    try:
        while True:
            piece = yield from read(stream)
            if piece is None or isinstance(piece, Failure):
                broken = piece or Failure("the server hung up in the middle of the text")
                raise failed(request, broken, caller.configuration.base_url)
            for event in reader.feed(piece):
                if event.data == _DONE:
                    return
                if text := _take(event, written):
                    written.pieces.append(text)
                    yield Emit(text)
    finally:
        yield Close(stream)


def _take(event: Event, written: Written) -> str:
    """The text of an event; what comes beside it goes into ``written``."""
    chunk = orjson.loads(event.data)
    if (error := chunk.get("error")) is not None:
        code, message = str(error.get("code")), str(error.get("message"))
        raise ServerFault(Told(500, message, code, error.get("param"), written.request_id))
    written.id = chunk["id"]
    written.usage = chunk.get("usage") or written.usage
    for choice in chunk["choices"]:
        written.finish_reason = choice["finish_reason"] or written.finish_reason
        return (choice["delta"].get("content") if "delta" in choice else choice["text"]) or ""
    return ""
