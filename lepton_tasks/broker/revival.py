"""Waits in the background until Redis answers again, so that no caller has to try it out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import redis

_PAUSE_SECONDS: Final = 1.0


class Revival:
    """Asks a Redis that is away once a second whether it is back; a thread only meanwhile."""

    def __init__(
        self, client: redis.Redis, back: Callable[[], None], pause: float = _PAUSE_SECONDS
    ) -> None:
        """``back`` is called from that thread, once, when Redis has answered."""
        self._client = client
        self._back = back
        self._pause = pause
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def expect(self) -> None:
        """Begin to ask, if nobody does; returns at once."""
        with self._lock:
            # In a forked child the parent's thread is there, and not alive.
            if self._stopping.is_set() or (self._thread and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._run, name="revival", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Ask no more."""
        self._stopping.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._pause):
            try:
                self._client.ping()
            except redis.RedisError:
                continue
            with self._lock:  # whoever loses Redis from here on starts another thread
                self._thread = None
                self._back()
            return
