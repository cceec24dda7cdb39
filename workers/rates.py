"""Celery's rate limits, kept by fetching no more: what is over a limit stays in Redis.

Celery lets what it has fetched wait for a token, in the consumer. Here that would fill the
window, and the messages' visibility would run out. So the limits bound the fetch, task by
task, and other tasks go on. Celery's own buckets are used, which remote control replaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kombu.utils.limits import TokenBucket

from lepton_tasks.queues import MESSAGE_PREFIX, message_name, task_of_message
from lepton_tasks.transport.watched import NO_LIMITS


class RateLimits:
    """The limits of one consumer; used on its event loop, unless a method says otherwise.

    A limit is one of this worker process, as in Celery, and counts messages.
    """

    def __init__(self, consumer: Any) -> None:
        """``consumer`` is connected; make another one when it connects again."""
        self._consumer = consumer
        self._waking: dict[str, TokenBucket] = {}
        for name in self._buckets():
            self._wake_in_time(name)

    def allowances(self) -> Mapping[str, int]:
        """How many messages of each task that has a limit may be fetched now; from any thread."""
        return {
            task_of_message(name): tokens(bucket) for name, bucket in self._buckets().items()
        } or NO_LIMITS

    def spend(self, name: str) -> None:
        """Note that a message of a Celery task came."""
        bucket = self._buckets().get(name)
        if bucket is not None:
            bucket.can_consume()
            self._wake_in_time(name)

    def spend_without_messages(self, task: str, jobs: int) -> None:
        """Note jobs of a task that were begun without messages; from any thread, wakes nobody."""
        bucket = self._buckets().get(message_name(task))
        if bucket is not None:
            for _ in range(jobs):
                bucket.can_consume()

    def _buckets(self) -> dict[str, TokenBucket]:
        if self._consumer.disable_rate_limits:
            return {}
        return {
            name: bucket
            for name, bucket in list(self._consumer.task_buckets.items())
            if bucket is not None and name.startswith(MESSAGE_PREFIX)
        }

    def _wake_in_time(self, name: str) -> None:
        """Let the event loop look again when the next message may come."""
        bucket = self._buckets().get(name)
        if bucket is None or self._waking.get(name) is bucket:
            return
        wait = bucket.expected_time()
        if wait > 0:
            self._waking[name] = bucket
            self._consumer.timer.call_after(wait, self._woken, (name, bucket))

    def _woken(self, name: str, bucket: TokenBucket) -> None:
        if self._waking.get(name) is bucket:
            del self._waking[name]
            self._wake_in_time(name)


def tokens(bucket: TokenBucket) -> int:
    """Whole tokens that a bucket holds now.

    >>> bucket = TokenBucket(1e-9, capacity=3)
    >>> bucket._tokens = 3
    >>> bucket.can_consume(), tokens(bucket)
    (True, 2)
    """
    missing = bucket.expected_time(bucket.capacity) * bucket.fill_rate
    nearly: int = round(bucket.capacity - missing)
    return nearly if bucket.expected_time(nearly) == 0 else nearly - 1
