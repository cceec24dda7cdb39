"""Following a text while it is generated: one Redis channel an input of a job, never stored.

Only jobs that ask for it are streamed. Chunks are lost with a connection; then, and when
a reader came too late, the text is taken from the store as soon as the job is over. A
stream may end a moment before the job's result is stored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

import redis
import redis.asyncio

from lepton_tasks.broker.chunks import Assembly, Chunk, StoredText

POLL_SECONDS: Final = 1.0
"""How often the store is asked whether the job is over, while no chunk comes."""


def channel(job_id: str, place: int = 0) -> str:
    """Name of the channel for the input at ``place`` of a job."""
    return f"lepton:stream:{job_id}:{place}"


def publish(client: redis.Redis, chunks: Sequence[tuple[str, Chunk]]) -> None:
    """Publish chunks on their channels in one round trip; a Redis that is away is no error."""
    try:
        with client.pipeline(transaction=False) as pipe:
            for name, chunk in chunks:
                pipe.publish(name, chunk.dump())
            pipe.execute()
    except redis.RedisError:
        return  # readers see the gap and ask the store


class _Reading:
    """What both kinds of stream share: the chunks, and when to ask the store."""

    def __init__(self, job_id: str, place: int, poll_seconds: float) -> None:
        self.finish_reason: str | None = None
        """Why the text ended, once the stream is over."""
        self._name = channel(job_id, place)
        self._poll_seconds = poll_seconds
        self._assembly = Assembly()
        self._ask_at = 0.0
        self._put_off()

    def _put_off(self) -> None:
        self._ask_at = time.monotonic() + self._poll_seconds

    def _patience(self) -> float:
        return max(0.0, self._ask_at - time.monotonic())

    def _take(self, message: dict[str, Any]) -> str:
        """Return the text that a message adds to what was read."""
        if message["type"] != "message":
            return ""
        try:
            text = self._assembly.take(Chunk.load(message["data"]))
        except ValueError:
            return ""  # a gap, if it was to be one of ours
        if not self._assembly.missed:
            self._put_off()
        self.finish_reason = self._assembly.end
        return text

    def _rest(self, stored: StoredText) -> str:
        """Return what the store has beyond what was read."""
        self.finish_reason = stored.finish_reason
        return "" if stored.text is None else self._assembly.rest(stored.text)


class TextStream(_Reading):
    """Iterates over the pieces of a text while it is generated. A context manager.

    Enter it before the job is submitted, so that nothing is missed. ``stored`` reads
    the job, None while it is not over: see :func:`stored_text`. A piece is whole
    characters. Iterating raises StreamBroken where the text was begun anew.
    """

    def __init__(
        self,
        client: redis.Redis,
        job_id: str,
        stored: Callable[[], StoredText | None],
        place: int = 0,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        super().__init__(job_id, place, poll_seconds)
        self._client = client
        self._stored = stored
        self._pubsub: redis.client.PubSub | None = None

    def __enter__(self) -> Self:
        """Subscribe; without Redis, the store is asked."""
        self._message(self._poll_seconds)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the subscription back."""
        self._close()

    def __iter__(self) -> Iterator[str]:
        """Yield pieces until the text has ended."""
        while self._assembly.end is None:
            patience = self._patience()
            message = self._message(patience) if patience else None
            if message is not None:
                if text := self._take(message):
                    yield text
            elif not self._patience():
                stored = self._stored()
                if stored is not None:
                    if text := self._rest(stored):
                        yield text
                    return
                self._put_off()

    def _message(self, seconds: float) -> dict[str, Any] | None:
        try:
            if self._pubsub is None:
                self._pubsub = self._client.pubsub()  # type: ignore[no-untyped-call]
                self._pubsub.subscribe(self._name)
            message: dict[str, Any] | None = self._pubsub.get_message(timeout=seconds)
            return message
        except redis.RedisError:
            self._close()
        time.sleep(seconds)
        return None

    def _close(self) -> None:
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None


class AsyncTextStream(_Reading):
    """:class:`TextStream` for an event loop; ``stored`` is awaited."""

    def __init__(
        self,
        client: redis.asyncio.Redis,
        job_id: str,
        stored: Callable[[], Awaitable[StoredText | None]],
        place: int = 0,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        super().__init__(job_id, place, poll_seconds)
        self._client = client
        self._stored = stored
        self._pubsub: redis.asyncio.client.PubSub | None = None

    async def __aenter__(self) -> Self:
        """Subscribe; without Redis, the store is asked."""
        await self._message(self._poll_seconds)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the subscription back."""
        await self._close()

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield pieces until the text has ended."""
        while self._assembly.end is None:
            patience = self._patience()
            message = await self._message(patience) if patience else None
            if message is not None:
                if text := self._take(message):
                    yield text
            elif not self._patience():
                stored = await self._stored()
                if stored is not None:
                    if text := self._rest(stored):
                        yield text
                    return
                self._put_off()

    async def _message(self, seconds: float) -> dict[str, Any] | None:
        try:
            if self._pubsub is None:
                self._pubsub = self._client.pubsub()
                await self._pubsub.subscribe(self._name)
            message: dict[str, Any] | None = await self._pubsub.get_message(timeout=seconds)
            return message
        except (redis.RedisError, OSError):
            await self._close()
        await asyncio.sleep(seconds)
        return None

    async def _close(self) -> None:
        if self._pubsub is not None:
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]
            self._pubsub = None
