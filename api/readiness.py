"""Whether this process can do its work: the database is needed, all else is missed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from api.background import OneAtATime
from lepton_tasks.broker.connection import check_redis
from lepton_tasks.errors import BrokerAway, BrokerUnavailable, LeptonError, StoreUnavailable
from lepton_tasks.queues import Priority, queue_name
from lepton_tasks.store.schema import release_revision, schema_revision
from lepton_tasks.store.store import Store
from lepton_tasks.store.trial import try_writing

logger = logging.getLogger(__name__)

_TIMEOUT_SECONDS: Final = 3.0
_KEEP_SECONDS: Final = 1.0
_COUNT_SECONDS: Final = 0.5
"""How long an answer waits for the count of the backlog; it takes longer the more there is."""
_TRIAL_SECONDS: Final = 0.5
"""How long an answer waits for a row to be written; on a busy database it takes its time."""
_BETWEEN_TRIALS_SECONDS: Final = 5.0
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a probe found. Without a database nothing of what it holds is known.

    ``workers`` counts live leases by task, ``oldest`` says for how many seconds the oldest
    due job of a queue has waited.
    """

    database: str
    schema: str
    redis: str
    workers: dict[str, int] = field(default_factory=dict)
    oldest: dict[str, float] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here: a submit survives the loss of all but SQL."""
        return self.database == self.schema == "ok"

    @property
    def missing(self) -> list[str]:
        """What is not as it should be: parts by name, ``worker:TASK`` where jobs wait for one."""
        parts = {"database": self.database, "schema": self.schema, "redis": self.redis}
        unserved = {
            task
            for task in (queue.rpartition(".")[0] for queue in self.oldest)
            if not self.workers.get(task)
        }
        return [
            *(name for name, state in parts.items() if state not in {"ok", _UNKNOWN}),
            *(f"worker:{task}" for task in sorted(unserved)),
        ]


class ReadinessProbe:
    """Looks at database and Redis, at most once a second however many ask.

    Whether the database can be written is tried every few seconds.
    """

    def __init__(self, store: Store, client: redis.Redis, tasks: Sequence[str]) -> None:
        """``tasks`` are all that are known here."""
        self._store = store
        self._redis = client
        self._tasks = tasks
        self._queues = [(task, priority) for task in tasks for priority in Priority]
        self._lock = asyncio.Lock()
        # Threads of its own: a probe must answer while all others wait for the database.
        self._looking = OneAtATime(self._look)
        self._trying = OneAtATime(self._try_writing)
        self._counting = OneAtATime(self._count)
        self._counted: dict[str, int] | None = None
        self._tried_at = float("-inf")
        self._writes = "ok"
        self._seen: Readiness | None = None
        self._seen_at = 0.0
        self._redis_said = "ok"

    async def look(self) -> Readiness:
        """Return what is true now, or was within the last second."""
        async with self._lock:
            if self._seen is None or time.monotonic() - self._seen_at > _KEEP_SECONDS:
                self._seen = await self._probe()
                self._seen_at = time.monotonic()
            return self._seen

    async def backlog(self) -> dict[str, int] | None:
        """Count queued jobs by queue: those of the last count that has ended, None before."""
        await self._counting.ask(_COUNT_SECONDS)
        return self._counted

    async def _probe(self) -> Readiness:
        found = await self._looking.ask(_TIMEOUT_SECONDS)
        if found is None:
            return Readiness("no answer in time", _UNKNOWN, _UNKNOWN)
        if not found.ready:
            return found
        if time.monotonic() - self._tried_at > _BETWEEN_TRIALS_SECONDS:
            self._tried_at = time.monotonic()
            await self._trying.ask(_TRIAL_SECONDS)
        return replace(found, database=self._writes)

    def _look(self) -> Readiness:
        broker = self._look_at_redis()
        try:
            found, needed = schema_revision(self._store.database), release_revision()
            if found != needed:
                schema = f"is at {found or 'nothing'}, needs {needed}: run `lepton db upgrade`"
                return Readiness("ok", schema, broker)
            workers = dict.fromkeys(self._tasks, 0)
            for worker in self._store.leases.alive():
                for task in worker.tasks:
                    workers[task] = workers.get(task, 0) + 1
            oldest = self._store.due.oldest(self._queues)
        except LeptonError:
            return Readiness("unreachable", _UNKNOWN, broker)
        except SQLAlchemyError:
            return Readiness("unusable", _UNKNOWN, broker)
        named = {queue_name(*queue): round(age, 3) for queue, age in oldest.items()}
        return Readiness("ok", "ok", broker, workers, named)

    def _try_writing(self) -> None:
        said = "ok"
        try:
            try_writing(self._store.database)
        except StoreUnavailable as error:
            said = "cannot be written"
            if said != self._writes:  # the reason names the address: it is for the log alone
                logger.error("%s", error)
        except SQLAlchemyError:
            return  # busy, which says nothing of whether it can be written
        self._writes = said

    def _count(self) -> None:
        try:
            counts = self._store.jobs.backlog()
        except (LeptonError, SQLAlchemyError):
            self._counted = None
        else:
            self._counted = {
                queue_name(task, priority): count for (task, priority), count in counts.items()
            }

    def _look_at_redis(self) -> str:
        reason, said = "", "ok"
        try:
            check_redis(self._redis)
        except BrokerAway as error:
            reason, said = str(error), "unreachable"
        except (BrokerUnavailable, RedisError) as error:
            reason, said = str(error), "unusable"
        if said != self._redis_said:  # the reason names addresses: it is for the log alone
            logger.warning("Redis is %s. %s", said, reason)
        self._redis_said = said
        return said
