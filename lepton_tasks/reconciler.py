"""The periodic work that makes the store's word come true, whoever has died meanwhile.

Runs in every io worker and every model worker; a lock in the store lets one of
them at a time do it. Each step is safe to repeat and safe to run twice at once:
what it publishes a second time, claiming drops.
"""

from __future__ import annotations

import logging
import uuid

import redis

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.publisher import Publisher
from lepton_tasks.broker.wakeups import announce
from lepton_tasks.errors import BrokerUnavailable
from lepton_tasks.queues import Priority
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store

logger = logging.getLogger(__name__)

LOCK = "reconciler"
EPOCH_KEY = "lepton:epoch"
_LOCK_SECONDS = 5.0
_PAGE = 1000
_LOST_AFTER_SECONDS = 30.0


class Reconciler:
    """Frees the jobs of silent workers, publishes what is not published, ends what is late."""

    def __init__(self, store: Store, settings: Settings, holder: str) -> None:
        """``holder`` names this process in the lock."""
        self._store = store
        self._settings = settings
        self._holder = holder
        self._redis = connect(settings.redis_url, 2.0)
        self._publisher = Publisher(self._redis)

    def run_once(self) -> None:
        """Do the periodic work once, unless another process does it now.

        Raises:
            StoreUnavailable: the database is away; try again later. A Redis that is
                away is no error: what cannot be published waits.
        """
        if not self._store.leases.hold(LOCK, self._holder, _LOCK_SECONDS):
            return
        self._recover()
        if self._store.outbox.expire_deadlines() + self._store.suspects.expire_deadlines():
            announce(self._redis, (), deliveries=True)
        try:
            self._check_epoch()
            self._find_lost()
            self._publish()
        except BrokerUnavailable as error:
            logger.warning("%s; trying again", error)

    def _recover(self) -> None:
        """Take back what silent workers held, and tell who waits for what ended by it."""
        found = self._store.recovery.recover()
        if found.queued or found.suspects:
            logger.warning(
                "workers fell silent: %d jobs are queued again, %d are suspects",
                found.queued,
                found.suspects,
            )
        for job_id in found.dead:
            logger.error("job %s is dead; see `lepton dead show %s`", job_id, job_id)
        if found.ended:
            announce(self._redis, found.ended, deliveries=True)

    def _check_epoch(self) -> None:
        """Notice a Redis that lost its data, and publish all queued jobs again."""
        epoch = self._store.outbox.marker("epoch", uuid.uuid4().hex).encode()
        try:
            if self._redis.get(EPOCH_KEY) == epoch:
                return
            lost = self._store.outbox.forget_published()
            # Written last: a crash before this line repeats the step.
            self._redis.set(EPOCH_KEY, epoch)
        except redis.RedisError as error:
            raise BrokerUnavailable(f"Redis did not answer: {error}") from error
        if lost:
            logger.warning("Redis has lost its queues; publishing %d jobs again", lost)

    def _find_lost(self) -> None:
        """Publish again what should long have been fetched from a queue that is empty."""
        patience = max(_LOST_AFTER_SECONDS, 2 * self._settings.visibility_timeout)
        for task, priority in self._store.outbox.overdue_queues(patience):
            if self._publisher.depth(task, priority) == 0:
                lost = self._store.outbox.forget_published(task, priority, patience)
                logger.warning("publishing %d lost jobs of %s.%s again", lost, task, priority)

    def _publish(self) -> None:
        """Fill each queue's window from the store, urgent queues first."""
        for task, priority in self._store.outbox.unpublished_queues():
            self._fill(task, priority)

    def _fill(self, task: str, priority: Priority) -> None:
        room = self._settings.publish_window - self._publisher.depth(task, priority)
        while room > 0:
            page = self._store.outbox.take_unpublished(task, priority, min(room, _PAGE))
            if not page:
                return
            try:
                self._publisher.publish(page)
            except BrokerUnavailable:
                self._store.jobs.unpublish([job.id for job in page])
                raise
            room -= len(page)
