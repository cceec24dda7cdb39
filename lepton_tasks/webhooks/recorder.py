"""Writes what became of deliveries, many in one transaction, and keeps it while it cannot."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor

from lepton_tasks.outage import OUTAGES, Outage
from lepton_tasks.store.deliveries import Attempt, Delivery, DeliveryStore


class Recorder:
    """Collects results; while one transaction commits, the next one's fill up.

    A result that cannot be written waits for the database. Should another sender
    have taken the delivery over meanwhile, the fence lets the late result fall.
    """

    def __init__(self, deliveries: DeliveryStore, threads: Executor) -> None:
        self._deliveries = deliveries
        self._threads = threads
        self._made: list[Attempt] = []
        self._released: list[tuple[Delivery, float]] = []
        self._news = asyncio.Event()
        self._closing = False
        self._outage = Outage("recording of webhook attempts")

    def made(self, attempt: Attempt) -> None:
        """Note a sending."""
        self._made.append(attempt)
        self._news.set()

    def released(self, delivery: Delivery, due_in: float) -> None:
        """Note a delivery that was claimed and not sent; it is due again in some seconds."""
        self._released.append((delivery, due_in))
        self._news.set()

    def close(self) -> None:
        """Let :meth:`run` end once all is written."""
        self._closing = True
        self._news.set()

    async def run(self) -> None:
        """Write until closed."""
        while not self._closing or self._made or self._released:
            await self._news.wait()
            self._news.clear()
            made, self._made = self._made, []
            released, self._released = self._released, []
            await self._write(made, released)

    async def _write(self, made: list[Attempt], released: list[tuple[Delivery, float]]) -> None:
        def write() -> None:
            self._deliveries.record(made)
            self._deliveries.release(released)

        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(self._threads, write)
            except OUTAGES as error:
                await asyncio.sleep(self._outage.failed(error))
            else:
                self._outage.over()
                return
