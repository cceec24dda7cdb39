"""A worker without a model: it claims and finishes jobs through the real store."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

import orjson
import redis
from sqlalchemy import select

from lepton_tasks.broker.wakeups import announce
from lepton_tasks.ids import new_id
from lepton_tasks.jobs import ClaimedJob, FinishedJob
from lepton_tasks.states import JobState
from lepton_tasks.store.database import Database
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import JobRow

jobs = JobRow.__table__  # type: ignore[attr-defined]


def judge(text: str) -> dict[str, Any]:
    """Output for a text: it repeats the text, and flags those with ``bad`` or ``坏``."""
    if "crash" in text:
        return {"error": {"code": "model_error", "message": "the model could not read this"}}
    flagged = "bad" in text or "坏" in text
    return {
        "flagged": flagged,
        "language": "en" if text.isascii() else "zh",
        "categories": {"toxicity": flagged, "spam": False},
        "echo": text,
    }


def finish(claim: ClaimedJob) -> FinishedJob:
    """Do a job as a worker with a model would; a job of crashes alone fails as a whole."""
    outputs = [judge(text) for text in claim.payload.inputs]
    failed = sum("error" in output for output in outputs)
    if failed == len(outputs):
        return FinishedJob(claim, None, orjson.dumps(outputs[-1]["error"]).decode(), failed)
    result = orjson.dumps({"model": {"name": "echo"}, "outputs": outputs}).decode()
    return FinishedJob(claim, result, None, failed)


class ShardWorker:
    """Does what is queued, in a thread while it is entered, or step by step."""

    def __init__(self, database_url: str, redis_url: str, tasks: tuple[str, ...] = ("moderation",)):
        self._store = Store(Database(database_url))
        self._redis = redis.Redis.from_url(redis_url)
        self._tasks = tasks
        self._id = new_id("worker")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        while not self._stop.is_set():
            if not self.step():
                self._stop.wait(0.005)

    def step(self, limit: int = 8, newest: bool = True) -> int:
        """Do up to ``limit`` shards; returns how many there were.

        The newest come first unless told otherwise, so that shards end out of order.
        """
        order = jobs.c.ordinal.desc() if newest else jobs.c.ordinal
        with self._store.database.read() as connection:
            queued = connection.execute(
                select(jobs.c.id)
                .where(jobs.c.state == JobState.QUEUED)
                .order_by(order)
                .limit(limit)
            ).scalars()
            ids = list(queued)
        done = self._store.claims.finish(
            [finish(claim) for claim in self._store.claims.claim(self._id, ids)]
        )
        announce(self._redis, done)
        return len(done)

    def __enter__(self) -> Self:
        self._store.leases.register(self._id, "test", self._tasks, 60)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._store.leases.end(self._id)
        self.close()

    def close(self) -> None:
        """Close connections; for a worker that was not entered."""
        self._redis.close()
        self._store.close()
