"""Results into the store: all that is ready in one transaction, then the word to Celery."""

from __future__ import annotations

import logging
import queue
import time

import redis
from sqlalchemy.exc import DBAPIError

from lepton_tasks.broker.wakeups import announce
from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.jobs import FinishedJob
from lepton_tasks.store.store import Store
from workers.engines.base import Engine
from workers.reporter import Ended, Reporter
from workers.vital import vital_thread
from workers.work import HeldJob

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 256
_RETRY_SECONDS = 1.0


class Finisher:
    """A thread that commits finished jobs. Its queue is bounded: a slow store slows the model."""

    def __init__(self, store: Store, client: redis.Redis, reporter: Reporter) -> None:
        self._store = store
        self._redis = client
        self._reporter = reporter
        self._ready: queue.Queue[tuple[HeldJob, FinishedJob] | None] = queue.Queue(1024)
        self._thread = vital_thread(self._run, "finisher")

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def put(self, job: HeldJob, engine: Engine) -> None:
        """Take a job whose items are all done; blocks while the store is behind."""
        self._ready.put((job, job.finished(engine.name, engine.revision)))

    def close(self) -> None:
        """Commit what was put and stop."""
        self._ready.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            batch = [self._ready.get()]
            while len(batch) < _MOST_AT_ONCE and not self._ready.empty():
                batch.append(self._ready.get())
            jobs = [entry for entry in batch if entry is not None]
            if jobs:
                self._commit(jobs)
            if len(jobs) < len(batch):
                return

    def _commit(self, jobs: list[tuple[HeldJob, FinishedJob]]) -> None:
        while True:
            try:
                taken = self._store.claims.finish([finished for _, finished in jobs])
                break
            except (StoreUnavailable, DBAPIError) as error:
                logger.warning("cannot store %d results, trying again: %s", len(jobs), error)
                time.sleep(_RETRY_SECONDS)
        if len(taken) < len(jobs):
            logger.warning("%d stale results were not written", len(jobs) - len(taken))
        announce(self._redis, taken, deliveries=True)
        now = time.monotonic()
        self._reporter.ended(
            [
                Ended(
                    held.request,
                    now - (held.started_at or now),
                    None if finished.error is None else "failed",
                )
                for held, finished in jobs
            ]
        )
