"""One worker process: its threads, wired together, started warm and drained cleanly."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from lepton_tasks.broker.connection import connect
from lepton_tasks.ids import new_id
from lepton_tasks.reconciler import Reconciler
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store
from workers.budget import TokenBudget
from workers.finisher import Finisher
from workers.heartbeat import Heartbeat, reconciling
from workers.intake import Intake, Received
from workers.reporter import Reporter
from workers.runner import Runner
from workers.warmup import UNTUNED_BUDGET, WarmTask
from workers.work import WorkQueue

logger = logging.getLogger(__name__)


class Runtime:
    """The path of a job inside a worker: intake → queue → runner → finisher."""

    def __init__(
        self, settings: Settings, store: Store, hostname: str, served: Mapping[str, WarmTask]
    ) -> None:
        """Wire the parts; nothing runs yet."""
        self.served = served
        self.worker_id = new_id("worker")
        self.reporter = Reporter()
        self._settings = settings
        self._store = store
        self._redis = connect(settings.redis_url, 2.0)
        self._queue = WorkQueue()
        self._finisher = Finisher(store, self._redis, self.reporter)
        self._heartbeat = Heartbeat(
            store,
            self.worker_id,
            hostname,
            list(served),
            settings.lease_seconds,
            supersedes=settings.supervised,
        )
        self._runner = Runner(
            self._queue,
            self._finisher,
            self.reporter,
            TokenBudget(
                min((one.token_budget for one in served.values()), default=UNTUNED_BUDGET),
                settings.step_cap_seconds,
            ),
            self._heartbeat.is_fresh,
        )
        self._intake = Intake(
            self.worker_id,
            served,
            store,
            self._queue,
            self._finisher,
            self.reporter,
            settings.window_items,
        )
        self._reconciling = reconciling(Reconciler(store, settings, self.worker_id))
        self._started = False
        self._drained = False

    def attach(self, consumer: Any) -> None:
        """Report to a (re)connected Celery consumer; the first one starts the work.

        From then on the worker holds a lease, so a lease says that it consumes.

        Raises:
            StoreUnavailable: the database is away.
        """
        self.reporter.attach(consumer)
        if self._started:
            return
        self._started = True
        self._heartbeat.start()
        self._reconciling.start()
        self._finisher.start()
        self._runner.start()
        self._intake.start()
        logger.info("serving %s as %s", ", ".join(self.served), self.worker_id)

    def room(self) -> int:
        """Messages that may be fetched now."""
        return self._intake.room()

    def put(self, received: Received) -> None:
        """Take a fetched message."""
        self._intake.put(received)

    def drain(self) -> None:
        """Finish the micro-batch on the device, store it, give the rest back, end the lease."""
        if self._drained or not self._started:
            return
        self._drained = True
        self.reporter.loop_has_stopped()
        self._intake.close()
        waiting = self._queue.close()
        self._runner.stop()
        self._finisher.close()
        unfinished = {item.job: None for item in waiting}
        released = self._store.claims.release([job.claim for job in unfinished])
        self._reconciling.stop()
        self._heartbeat.stop()
        logger.info("drained: %d jobs were given back", len(released))

    def close(self) -> None:
        """Close what :meth:`drain` may still have needed."""
        self._store.close()
        self._redis.close()
