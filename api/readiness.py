"""Whether this process can do its work: the database is needed, Redis is missed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

import anyio
import redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from lepton_tasks.errors import LeptonError
from lepton_tasks.queues import queue_name
from lepton_tasks.store.schema import check_schema
from lepton_tasks.store.store import Store

_TIMEOUT_SECONDS: Final = 3.0
_KEEP_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a probe found. Without a database nothing else is known."""

    database: str
    redis: str
    workers: dict[str, int]
    backlog: dict[str, int]

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here: a submit survives the loss of Redis."""
        return self.database == "ok"


class ReadinessProbe:
    """Looks at database and Redis, at most once a second however many ask."""

    def __init__(self, store: Store, client: redis.Redis) -> None:
        self._store = store
        self._redis = client
        self._lock = asyncio.Lock()
        # Threads of its own: a probe must answer while all others wait for the database.
        self._threads = anyio.CapacityLimiter(2)
        self._seen: Readiness | None = None
        self._seen_at = 0.0

    async def look(self) -> Readiness:
        """Return what is true now, or was within the last second."""
        async with self._lock:
            if self._seen is None or time.monotonic() - self._seen_at > _KEEP_SECONDS:
                self._seen = await self._probe()
                self._seen_at = time.monotonic()
            return self._seen

    async def _probe(self) -> Readiness:
        found: Readiness | None = None
        with anyio.move_on_after(_TIMEOUT_SECONDS):
            found = await anyio.to_thread.run_sync(
                self._look, abandon_on_cancel=True, limiter=self._threads
            )
        return found or Readiness("no answer in time", "unknown", {}, {})

    def _look(self) -> Readiness:
        broker = self._look_at_redis()
        try:
            check_schema(self._store.database)
            workers = Counter(
                task for worker in self._store.leases.alive() for task in worker.tasks
            )
            backlog = self._store.jobs.backlog()
        except LeptonError as error:
            return Readiness(error.code, broker, {}, {})
        except SQLAlchemyError:
            return Readiness("unusable", broker, {}, {})
        named = {queue_name(task, priority): count for (task, priority), count in backlog.items()}
        return Readiness("ok", broker, dict(workers), named)

    def _look_at_redis(self) -> str:
        try:
            self._redis.ping()
        except RedisError:
            return "unreachable"
        return "ok"
