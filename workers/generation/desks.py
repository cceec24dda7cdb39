"""The desks of all models of a worker that write, opened when their first prompt comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from workers.generation.desk import Desk
from workers.generation.writing import WritingEngine
from workers.held import HeldJob, Item

IDLE_SECONDS: Final = 30.0
"""How long a desk without work stays open. An open one keeps its model in memory."""


class Desks:
    """Hands items to the desk of their engine. All methods are for several threads."""

    def __init__(self, open_desk: Callable[[WritingEngine], Desk]) -> None:
        """``open_desk`` makes the desk of an engine; it is started here."""
        self._open = open_desk
        self._desks: dict[WritingEngine, Desk] = {}
        self._used_at: dict[WritingEngine, float] = {}
        self._closed = False
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Items that wait or are being written."""
        return sum(len(desk) for desk in list(self._desks.values()))

    def add(self, engine: WritingEngine, items: Sequence[Item]) -> None:
        """Take items of one engine."""
        with self._lock:
            desk = self._desks.get(engine)
            if desk is None:
                desk = self._desks[engine] = self._open(engine)
                desk.start()
            self._used_at[engine] = time.monotonic()
        desk.add(items)  # may wait for the store, so cancelling must not wait for it

    def look(self) -> None:
        """End what was cancelled, and close desks that have been idle; called now and then."""
        now = time.monotonic()
        with self._lock:
            for engine, desk in list(self._desks.items()):
                desk.heed_cancels()
                if len(desk) or self._closed:
                    self._used_at[engine] = now
                elif now - self._used_at[engine] > IDLE_SECONDS:
                    desk.stop()
                    del self._desks[engine], self._used_at[engine]

    def close(self, until: float) -> list[HeldJob]:
        """Let no text begin; returns the jobs with texts that did not, which are given back.

        What is being written may end until that time on the monotonic clock; take no items
        any more.
        """
        with self._lock:
            self._closed = True
            return [job for desk in self._desks.values() for job in desk.close(until)]

    def stop(self) -> list[HeldJob]:
        """Wait for what may still end; returns the jobs with texts that did not."""
        return [job for desk in list(self._desks.values()) for job in desk.stop()]
