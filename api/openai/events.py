"""Server-sent events of a text that grows, as the OpenAI API sends them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import orjson
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.errors import ApiError
from api.openai.following import Following
from lepton_tasks.errors import LeptonError
from lepton_tasks.openai.failures import error_body
from lepton_tasks.openai.writing import usage_of

logger = logging.getLogger(__name__)

DONE: Final = b"data: [DONE]\n\n"
_NO_BUFFER: Final = {"cache-control": "no-cache", "x-accel-buffering": "no"}
"""A proxy that gathers what it passes on would undo the stream."""

Choice = Callable[[str | None, str | None], Mapping[str, Any]]
"""Makes a choice of the next piece, None at the end, and of why the text ended, None before."""


class TextEvents(StreamingResponse):
    """Sends a text piece by piece. A client that goes away ends the job behind it."""

    def __init__(
        self,
        following: Following,
        first: str,
        envelope: Mapping[str, Any],
        choice: Choice,
        wants_usage: bool,
        headers: Mapping[str, str],
    ) -> None:
        """``envelope`` is what all events have in common, ``first`` the text so far."""
        self._following = following
        self._first = first
        self._envelope = dict(envelope) | ({"usage": None} if wants_usage else {})
        self._choice = choice
        self._wants_usage = wants_usage
        super().__init__(
            self._events(), headers={**headers, **_NO_BUFFER}, media_type="text/event-stream"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all, and let go of the job however that ends."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._following.close()

    async def _events(self) -> AsyncIterator[bytes]:
        try:
            yield self._event([self._choice(self._first, None)])
            async for piece in self._following.rest():
                yield self._event([self._choice(piece, None)])
            output = await self._following.output()
        except LeptonError as error:
            yield _event(_told(error))
            return
        yield self._event([self._choice(None, output["finish_reason"])])
        if self._wants_usage:
            yield _event({**self._envelope, "choices": [], "usage": usage_of(output)})
        yield DONE

    def _event(self, choices: list[Mapping[str, Any]]) -> bytes:
        return _event({**self._envelope, "choices": choices})


def _event(value: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def _told(error: LeptonError) -> dict[str, Any]:
    """An error in the middle of a stream, whose status is sent already."""
    status = error.status if isinstance(error, ApiError) else 500
    param = error.param if isinstance(error, ApiError) else None
    return error_body(status, error.code, str(error), param)
