"""Long-polling: requests that wait for a job to end, thousands of them and no thread held.

One subscription a process hears the ids of ended jobs and wakes whoever waits for
them. A wake-up may be lost, so once a second the store is asked which of the
awaited jobs have ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from lepton_tasks.broker.connection import connect_async
from lepton_tasks.broker.wakeups import CHANNEL
from lepton_tasks.errors import StoreUnavailable

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
_PAGE: Final = 500
_LISTEN_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0


class EndedJobs(Protocol):
    """The one thing that waiting asks of the store."""

    def ended(self, job_ids: Sequence[str]) -> set[str]:
        """Those of ``job_ids`` whose job has ended."""
        ...


class Waiting:
    """Who waits for which job. Lives on one event loop."""

    def __init__(self, jobs: EndedJobs, redis_url: str, poll_seconds: float = POLL_SECONDS) -> None:
        self._jobs = jobs
        self._redis_url = redis_url
        self._poll_seconds = poll_seconds
        self._events: dict[str, set[asyncio.Event]] = {}
        self.released = False

    @contextmanager
    def watch(self, job_id: str) -> Iterator[asyncio.Event]:
        """Give an event that is set when the job may have ended; read the job inside.

        A job that ends between the read and the wait sets it too, so nothing is missed.
        """
        event = asyncio.Event()
        if self.released:
            event.set()
        watchers = self._events.setdefault(job_id, set())
        watchers.add(event)
        try:
            yield event
        finally:
            watchers.discard(event)
            if not watchers:
                self._events.pop(job_id, None)

    def wake(self, job_ids: Iterable[str]) -> None:
        """Wake those who wait for any of these jobs."""
        for job_id in job_ids:
            for event in self._events.get(job_id, ()):
                event.set()

    def release(self) -> None:
        """Let everybody go with what they have, now and from now on: the process stops."""
        self.released = True
        for events in self._events.values():
            for event in events:
                event.set()

    async def run(self) -> None:
        """Listen and poll until cancelled."""
        await asyncio.gather(self._listen(), self._poll())

    async def _listen(self) -> None:
        client = connect_async(self._redis_url, _LISTEN_SECONDS)
        down = False
        try:
            while True:
                try:
                    async with client.pubsub(ignore_subscribe_messages=True) as channel:
                        await channel.subscribe(CHANNEL)
                        while True:
                            message = await channel.get_message(timeout=_LISTEN_SECONDS)
                            if down:
                                logger.info("Redis answers again")
                                down = False
                            if message is not None and message["type"] == "message":
                                self.wake(message["data"].decode(errors="replace").split("\n"))
                except (RedisError, OSError) as error:
                    if not down:
                        logger.warning("no wake-ups from Redis, polling the store: %s", error)
                        down = True
                    await asyncio.sleep(min(_RETRY_SECONDS, self._poll_seconds))
        finally:
            await client.aclose()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            awaited = list(self._events)
            for start in range(0, len(awaited), _PAGE):
                await self._ask(awaited[start : start + _PAGE])

    async def _ask(self, job_ids: list[str]) -> None:
        try:
            self.wake(await run_in_threadpool(self._jobs.ended, job_ids))
        except (StoreUnavailable, SQLAlchemyError) as error:
            logger.warning("cannot ask the store who has ended: %s", type(error).__name__)
