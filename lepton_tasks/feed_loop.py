"""Keeps the feeder at work between two rounds of the reconciler, so that no worker starves.

While there is a backlog it looks every few milliseconds whether a queue has room; without
one it sleeps until a producer says that it has held jobs back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

import redis

from lepton_tasks.broker.wakeups import BACKLOG_CHANNEL
from lepton_tasks.feeder import Fed
from lepton_tasks.outage import OUTAGES, Outage

logger = logging.getLogger(__name__)

_FIRST_SECONDS: Final = 0.02
_MOST_SECONDS: Final = 0.1
_LISTEN_SECONDS: Final = 0.25


class FeedLoop:
    """A thread that feeds for as long as it is told to."""

    def __init__(self, feed: Callable[[], Fed], client: redis.Redis) -> None:
        """``feed`` makes one round; hints come over ``client``."""
        self._feed = feed
        self._client = client
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._until = 0.0
        self._stopping = threading.Event()

    def keep_on(self, seconds: float) -> None:
        """Feed for ``seconds`` from now; the thread ends then unless it is told again."""
        with self._lock:
            self._until = time.monotonic() + seconds
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Let the round that runs end, and make no more."""
        self._stopping.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _goes_on(self) -> bool:
        return not self._stopping.is_set() and time.monotonic() < self._until

    def _run(self) -> None:
        outage = Outage("feeder")
        while True:
            try:
                self._work()
            except OUTAGES as error:
                self._stopping.wait(outage.failed(error))
            except Exception:
                logger.exception("feeding failed; trying again")
                self._stopping.wait(_LISTEN_SECONDS)
            else:
                outage.over()
            with self._lock:
                if not self._goes_on():
                    self._thread = None
                    return

    def _work(self) -> None:
        with self._client.pubsub(ignore_subscribe_messages=True) as hints:  # type: ignore[no-untyped-call]
            hints.subscribe(BACKLOG_CHANNEL)  # first, so that no hint is missed
            pause = _FIRST_SECONDS
            while self._goes_on():
                fed = self._feed()
                if fed.more:
                    pause = _FIRST_SECONDS if fed.jobs else min(2 * pause, _MOST_SECONDS)
                    self._stopping.wait(pause)
                else:
                    self._listen(hints)

    def _listen(self, hints: redis.client.PubSub) -> None:
        while self._goes_on() and hints.get_message(timeout=_LISTEN_SECONDS) is None:
            continue
        while hints.get_message(timeout=0) is not None:
            continue  # one round serves all hints that came
