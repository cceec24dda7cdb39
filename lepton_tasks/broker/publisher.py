"""Putting thin messages on the queues, many in one round trip."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

import redis

from lepton_tasks.broker.messages import thin_messages
from lepton_tasks.broker.wakeups import BACKLOG_CHANNEL
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

    def publish(self, jobs: Iterable[Publishable], held_back: bool = False) -> dict[str, int]:
        """Push one message a job; a queue's messages keep their order.

        ``held_back`` says that other jobs wait in the store for room: the feeder is told.

        Returns:
            Lengths of the queues now.

        Raises:
            BrokerUnavailable: Redis did not answer in time; some messages may be there
                all the same, and publishing them again does no harm.
        """
        queues: defaultdict[tuple[str, Priority], list[str]] = defaultdict(list)
        for job in jobs:
            queues[job.task, job.priority].append(job.id)
        if not queues and not held_back:
            return {}
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for (task, priority), ids in queues.items():
                    # Consumers pop from the right.
                    pipe.lpush(queue_name(task, priority), *thin_messages(ids, task, priority))
                if held_back:
                    pipe.publish(BACKLOG_CHANNEL, b"1")
                replies = pipe.execute()
        except redis.RedisError as error:
            raise BrokerUnavailable(f"Redis did not take the messages: {error}") from error
        names = [queue_name(task, priority) for task, priority in queues]
        return dict(zip(names, replies, strict=False))

    def lengths(self, queues: Sequence[str]) -> dict[str, int]:
        """Messages that wait on each queue, in one round trip.

        Raises:
            BrokerUnavailable: Redis did not answer in time.
        """
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for queue in queues:
                    pipe.llen(queue)
                return dict(zip(queues, pipe.execute(), strict=True))
        except redis.RedisError as error:
            raise BrokerUnavailable(f"Redis did not answer: {error}") from error
