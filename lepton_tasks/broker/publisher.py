"""Putting thin messages on the queues, many in one round trip."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

import redis

from lepton_tasks.broker.messages import thin_messages
from lepton_tasks.errors import BrokerUnavailable
from lepton_tasks.queues import Priority, queue_name


class Publishable(Protocol):
    """Any job, stored or new: what its message needs."""

    @property
    def id(self) -> str:
        """Id of the job and of its Celery task."""
        ...

    @property
    def task(self) -> str:
        """Name of the NLP task."""
        ...

    @property
    def priority(self) -> Priority:
        """Priority, the second half of the queue's name."""
        ...


class Publisher:
    """Publishes on the default exchange: the list named like the queue."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def publish(self, jobs: Iterable[Publishable]) -> None:
        """Push one message a job; a queue's messages keep their order.

        Raises:
            BrokerUnavailable: Redis did not answer in time; some messages may be there
                all the same, and publishing them again does no harm.
        """
        queues: defaultdict[tuple[str, Priority], list[str]] = defaultdict(list)
        for job in jobs:
            queues[job.task, job.priority].append(job.id)
        if not queues:
            return
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for (task, priority), ids in queues.items():
                    # Consumers pop from the right.
                    pipe.lpush(queue_name(task, priority), *thin_messages(ids, task, priority))
                pipe.execute()
        except redis.RedisError as error:
            raise BrokerUnavailable(f"Redis did not take the messages: {error}") from error

    def depth(self, task: str, priority: Priority) -> int:
        """Messages that wait on a queue.

        Raises:
            BrokerUnavailable: Redis did not answer in time.
        """
        try:
            return int(self._client.llen(queue_name(task, priority)))
        except redis.RedisError as error:
            raise BrokerUnavailable(f"Redis did not answer: {error}") from error
