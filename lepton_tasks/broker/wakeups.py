"""Telling whoever waits that jobs have ended: one channel, only ids.

A wake-up is a hint. It may be lost, so a waiter also asks the store now and then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

import redis

CHANNEL: Final = "lepton:done"
DELIVERIES_CHANNEL: Final = "lepton:deliveries"
BACKLOG_CHANNEL: Final = "lepton:backlog"
"""Says that jobs wait in the store for room in their queue."""
_LISTEN_SECONDS: Final = 1.0
_QUIET_SECONDS: Final = 3.0
"""For so long a Redis that did not answer is not asked again."""


def announce(client: redis.Redis, job_ids: Iterable[str], deliveries: bool = False) -> None:
    """Publish the ids of ended jobs; a Redis that is away is no error."""
    ids = "\n".join(job_ids)
    try:
        if ids:
            client.publish(CHANNEL, ids)
        if deliveries:
            client.publish(DELIVERIES_CHANNEL, b"1")
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


class Waiter:
    """Blocks a thread until some job has ended or a moment has passed."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._pubsub: redis.client.PubSub | None = None
        self._quiet_until = float("-inf")
        self._lock = threading.Lock()

    def wait(self, seconds: float) -> frozenset[str]:
        """Return ids that were announced since the last call, or nothing after ``seconds``."""
        with self._lock:
            try:
                if time.monotonic() >= self._quiet_until:
                    return self._listen(seconds)
            except redis.RedisError:
                self._pubsub = None
                self._quiet_until = time.monotonic() + _QUIET_SECONDS
        time.sleep(min(seconds, _LISTEN_SECONDS))
        return frozenset()

    def _listen(self, seconds: float) -> frozenset[str]:
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
        return frozenset(ended)

    def close(self) -> None:
        """Give the subscription back."""
        with self._lock:
            if self._pubsub is not None:
                self._pubsub.close()
                self._pubsub = None
