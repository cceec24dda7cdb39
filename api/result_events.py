"""Lines of a batch as server-sent events, while it runs: the id of each is the cursor behind it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from typing import Any, Final

import orjson
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.result_watch import ResultWatch
from lepton_tasks.errors import LeptonError, StorageUnavailable, StoreUnavailable
from lepton_tasks.files.results import ResultPage

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS: Final = 15.0
"""A comment comes so often where nothing else does, so that no proxy takes us for dead."""
_HEARTBEAT: Final = b": waiting\n\n"
_BEGIN: Final = b"retry: 1000\n\n"
_HEADERS: Final = {"cache-control": "no-cache", "x-accel-buffering": "no"}

ReadPage = Callable[[int], Awaitable[ResultPage]]
"""Reads the page behind a cursor."""


class ResultEvents(StreamingResponse):
    """Sends lines as they become final, then ``done``.

    One page of them is held at a time: a client that reads slowly is read for slowly. One
    that hangs up ends it. A stream that ends without ``done`` is resumed with
    ``Last-Event-ID``.
    """

    def __init__(
        self, batch_id: str, first: ResultPage, read: ReadPage, watching: ResultWatch
    ) -> None:
        """``first`` was read before the answer began, so that what is wrong has its status."""
        self._batch_id = batch_id
        self._page = first
        self._read = read
        self._watching = watching
        self._open = ExitStack()
        super().__init__(self._events(), headers=_HEADERS, media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all, and watch no more however that ends."""
        with self._open:
            await super().__call__(scope, receive, send)

    async def _events(self) -> AsyncIterator[bytes]:
        news = self._open.enter_context(self._watching.watch(self._batch_id))
        yield _BEGIN
        try:
            while True:
                if self._page.lines:
                    yield b"".join(
                        b"id: %d\ndata: %b\n\n" % (line.cursor, line.data)
                        for line in self._page.lines
                    )
                if self._page.is_last:
                    yield self._done()
                    return
                if not self._page.has_more:
                    while not await _heard(news):
                        yield _HEARTBEAT
                    if self._watching.released:
                        return
                news.clear()
                self._page = await self._read(self._page.cursor)
        except (StorageUnavailable, StoreUnavailable) as error:
            # What it says is for the operator. The client comes back, and is told its status.
            logger.error("a stream of results ends: %s", error)
        except LeptonError as error:
            yield _event("error", {"code": error.code, "message": str(error)})
        except SQLAlchemyError as error:
            # The client comes back by itself.
            logger.error("a stream of results ends: %s", type(error).__name__)

    def _done(self) -> bytes:
        value = {
            "batch_id": self._batch_id,
            "status": self._page.state,
            "cursor": str(self._page.cursor),
        }
        return b"id: %d\n" % self._page.cursor + _event("done", value)


async def _heard(news: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            await news.wait()
    except TimeoutError:
        return False
    return True


def _event(name: str, value: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(value))
