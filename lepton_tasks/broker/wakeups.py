"""Telling whoever waits that jobs have ended: one channel, only ids.

A wake-up is a hint. It may be lost, so a waiter also asks the store now and then.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import redis

CHANNEL: Final = "lepton:done"
DELIVERIES_CHANNEL: Final = "lepton:deliveries"
BACKLOG_CHANNEL: Final = "lepton:backlog"
"""Says that jobs wait in the store for room in their queue."""
_ANY: Final = ""
_LISTEN_SECONDS: Final = 1.0
_QUIET_SECONDS: Final = 3.0
"""For so long a Redis that did not answer is not asked again."""


def announce(client: redis.Redis, job_ids: Iterable[str], deliveries: bool = False) -> None:
    """Publish the ids of ended jobs; a Redis that is away is no error."""
    ids = "\n".join(job_ids)
    try:
        with client.pipeline(transaction=False) as pipe:
            if ids:
                pipe.publish(CHANNEL, ids)
            if deliveries:
                pipe.publish(DELIVERIES_CHANNEL, b"1")
            pipe.execute()
    except redis.RedisError:
        return  # waiters poll the store


class Announcer:
    """Announces ends, and spares whoever does so the wait for a Redis that is away."""

    def __init__(self, client: redis.Redis, is_away: Callable[[], bool]) -> None:
        """``is_away`` tells what is known of Redis already."""
        self._client = client
        self._is_away = is_away
        self._quiet_until = float("-inf")

    def announce(self, job_ids: Iterable[str]) -> None:
        """Say that these jobs have ended, and that there may be deliveries."""
        if self._is_away() or time.monotonic() < self._quiet_until:
            return
        try:
            with self._client.pipeline(transaction=False) as pipe:
                if ids := "\n".join(job_ids):
                    pipe.publish(CHANNEL, ids)
                pipe.publish(DELIVERIES_CHANNEL, b"1")
                pipe.execute()
        except redis.RedisError:
            self._quiet_until = time.monotonic() + _QUIET_SECONDS


class Watch:
    """One who waits, for one job or for any."""

    __slots__ = ("_hears", "told", "woken")

    def __init__(self, hears: Callable[[Watch, float], bool]) -> None:
        self._hears = hears
        self.woken = threading.Event()
        self.told = False

    def wait(self, seconds: float) -> bool:
        """Sleep until the job may have ended; False where nothing was heard for ``seconds``.

        What was announced since the watch began, or since the last call, counts.
        """
        return self._hears(self, seconds)


class Waiter:
    """Blocks threads until their jobs have ended: one of them listens, and wakes the others.

    Read the job after the watch has begun and before each wait, so that no end is missed
    but by a Redis that is away.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._pubsub: redis.client.PubSub | None = None
        self._quiet_until = float("-inf")
        self._reading = threading.Lock()
        self._lock = threading.Lock()
        self._watches: defaultdict[str, set[Watch]] = defaultdict(set)
        self._asleep: dict[Watch, None] = {}
        self._listened_to = False

    @contextmanager
    def watch(self, job_id: str = _ANY) -> Iterator[Watch]:
        """Watch a job, or any where none is named, for as long as the block lasts."""
        watch = Watch(self._hear_for)
        with self._lock:
            self._watches[job_id].add(watch)
        try:
            yield watch
        finally:
            with self._lock:
                self._watches[job_id].discard(watch)
                if not self._watches[job_id]:
                    del self._watches[job_id]

    def _hear_for(self, watch: Watch, seconds: float) -> bool:
        end = time.monotonic() + seconds
        try:
            while not watch.told and (left := end - time.monotonic()) > 0:
                with self._lock:
                    leads, self._listened_to = not self._listened_to, True
                    if not leads and not watch.told:
                        watch.woken.clear()
                        self._asleep[watch] = None
                if leads:
                    self._lead(left)
                else:
                    watch.woken.wait(left)
        finally:
            with self._lock:
                self._asleep.pop(watch, None)
                if not self._listened_to and self._asleep:
                    next(iter(self._asleep)).woken.set()  # who listens from now on
        with self._lock:
            told, watch.told = watch.told, False
            return told

    def _lead(self, seconds: float) -> None:
        ended: Iterable[str] | None = ()
        try:
            ended = self._listen(seconds)
        finally:
            with self._lock:
                self._listened_to = False
                self._tell(self._watches if ended is None else [*ended, _ANY] if ended else ())

    def _tell(self, job_ids: Iterable[str]) -> None:
        for job_id in job_ids:
            for watch in self._watches.get(job_id, ()):
                watch.told = True
                watch.woken.set()

    def _listen(self, seconds: float) -> set[str] | None:
        """Ids that were announced; None where some may have been missed, so that all look."""
        with self._reading:
            try:
                if time.monotonic() >= self._quiet_until:
                    return self._read(seconds)
            except redis.RedisError:
                self._pubsub = None
                self._quiet_until = time.monotonic() + _QUIET_SECONDS
        time.sleep(min(seconds, _LISTEN_SECONDS))
        return set()

    def _read(self, seconds: float) -> set[str] | None:
        fresh = self._pubsub is None
        if self._pubsub is None:
            self._pubsub = self._client.pubsub(  # type: ignore[no-untyped-call]
                ignore_subscribe_messages=True
            )
            self._pubsub.subscribe(CHANNEL)
        ended: set[str] = set()
        message = self._pubsub.get_message(timeout=seconds)
        while message is not None:
            ended.update(message["data"].decode().split("\n"))
            message = self._pubsub.get_message(timeout=0.0)
        return None if fresh else ended

    def close(self) -> None:
        """Give the subscription back."""
        with self._reading:
            if self._pubsub is not None:
                self._pubsub.close()
                self._pubsub = None
