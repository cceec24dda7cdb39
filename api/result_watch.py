"""Who waits for lines of which batch: one question a second for all, and no thread held."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Protocol

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.store.batches import Written

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
"""A batch says about as often how far it has come."""
_PAGE: Final = 500


class WrittenBatches(Protocol):
    """The one thing that watching asks of the store."""

    def written(self, batch_ids: Collection[str]) -> Mapping[str, Written]:
        """How far batches have come, by their ids."""
        ...


class ResultWatch:
    """Wakes whoever reads a batch when there is more of it. Lives on one event loop."""

    def __init__(self, batches: WrittenBatches, poll_seconds: float = POLL_SECONDS) -> None:
        self._batches = batches
        self._poll_seconds = poll_seconds
        self._events: dict[str, set[asyncio.Event]] = {}
        self._seen: dict[str, Written | None] = {}
        self.released = False

    @contextmanager
    def watch(self, batch_id: str) -> Iterator[asyncio.Event]:
        """Give an event that is set when the batch may have come further; read it then.

        Clear it before the batch is read, so nothing is missed.
        """
        event = asyncio.Event()
        if self.released:
            event.set()
        watchers = self._events.setdefault(batch_id, set())
        watchers.add(event)
        # What changed before this one came is no news to the others, and may be to it.
        self._seen.pop(batch_id, None)
        try:
            yield event
        finally:
            watchers.discard(event)
            if not watchers:
                self._events.pop(batch_id, None)
                self._seen.pop(batch_id, None)

    def release(self) -> None:
        """Let everybody go, now and from now on: the process stops."""
        self.released = True
        for batch_id in self._events:
            self._wake(batch_id)

    async def run(self) -> None:
        """Ask the store again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._poll_seconds)
            watched = list(self._events)
            for start in range(0, len(watched), _PAGE):
                await self._ask(watched[start : start + _PAGE])

    async def _ask(self, batch_ids: list[str]) -> None:
        try:
            found = await run_in_threadpool(self._batches.written, batch_ids)
        except (StoreUnavailable, SQLAlchemyError) as error:
            logger.warning("cannot ask the store for batches: %s", type(error).__name__)
            return
        for batch_id in batch_ids:
            now = found.get(batch_id)
            if batch_id in self._events and (
                batch_id not in self._seen or self._seen[batch_id] != now
            ):
                self._seen[batch_id] = now
                self._wake(batch_id)

    def _wake(self, batch_id: str) -> None:
        for event in self._events.get(batch_id, ()):
            event.set()
