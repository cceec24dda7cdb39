"""Finds messages that are lost: the store says they are in Redis, and they are not.

A message is in its queue's list until a worker has fetched it, and then among the
unacknowledged until its job is claimed. A producer that dies between its commit and its
publishing leaves a job that is in neither, in a queue that may never run empty.
"""

from __future__ import annotations

import logging
import re
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import orjson
import redis

from lepton_tasks.errors import BrokerUnavailable
from lepton_tasks.queues import UNACKED_KEY, queue_name
from lepton_tasks.store.outbox import OutboxStore

logger = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 10.0
_MOST_JOBS: Final = 10_000
_PAGE: Final = 1_000
_ID: Final = re.compile(rb'"id": ?("(?:[^"\\]|\\.)*")')  # of the headers: bodies are base 64


class Auditor:
    """Looks at jobs that were published long ago and that nobody has claimed."""

    def __init__(
        self, outbox: OutboxStore, client: redis.Redis, patience: float, most_messages: int
    ) -> None:
        """``patience`` is the age in seconds from which a job is looked at.

        A queue of more than ``most_messages`` is not read: its messages are not ours alone.
        """
        self._outbox = outbox
        self._client = client
        self._patience = patience
        self._most_messages = most_messages
        self._next_at = 0.0

    def audit(self) -> int:
        """Have lost jobs published again; at most every ten seconds. Returns how many.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        if time.monotonic() < self._next_at:
            return 0
        self._next_at = time.monotonic() + _PAUSE_SECONDS
        overdue: defaultdict[str, list[str]] = defaultdict(list)
        for job in self._outbox.overdue(self._patience, _MOST_JOBS):
            overdue[queue_name(job.task, job.priority)].append(job.id)
        try:
            lost = [job_id for queue, ids in overdue.items() for job_id in self._lost(queue, ids)]
        except redis.RedisError as error:
            raise BrokerUnavailable(f"Redis did not answer: {error}") from error
        return self._outbox.forget_published(lost, self._patience) if lost else 0

    def _lost(self, queue: str, job_ids: Iterable[str]) -> set[str]:
        if self._client.llen(queue) > self._most_messages:
            return set()
        lost = set(job_ids)
        # The list first: what is fetched meanwhile is then found among the unacknowledged.
        for first in range(0, self._most_messages, _PAGE):
            page: Any = self._client.lrange(queue, first, first + _PAGE - 1)
            lost.difference_update(_ids(page))
            if len(page) < _PAGE:
                break
        unacked: Any = self._client.hvals(UNACKED_KEY) if lost else []
        return lost.difference(_ids(unacked))


def _ids(messages: Iterable[bytes]) -> set[str]:
    return {orjson.loads(quoted) for message in messages for quoted in _ID.findall(message)}
