"""The periodic work that makes the store's word come true, whoever has died meanwhile.

Runs in every io worker and every model worker; a lock in the store lets one of
them at a time do it. Each step is safe to repeat and safe to run twice at once:
what it publishes a second time, claiming drops.
"""

from __future__ import annotations

import logging
import time
import uuid
from typing import Final

import redis

from lepton_tasks.audit import Auditor
from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.publisher import Publisher
from lepton_tasks.broker.wakeups import announce
from lepton_tasks.celery.sending import follow_up_sender
from lepton_tasks.errors import BrokerUnavailable
from lepton_tasks.feed_loop import FeedLoop
from lepton_tasks.feeder import Feeder
from lepton_tasks.outage import Outage
from lepton_tasks.retention import Retention
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store

logger = logging.getLogger(__name__)

LOCK = "reconciler"
EPOCH_KEY = "lepton:epoch"
_LOCK_SECONDS: Final = 3.0
_FEED_SECONDS: Final = 2.5
"""How long after taking the lock queues are refilled: less than it is held."""
_LOST_AFTER_SECONDS: Final = 30.0
_WINDOWS_TO_AUDIT: Final = 10
"""A queue longer than so many windows is filled by others."""


class Reconciler:
    """Frees the jobs of silent workers, publishes what is not published, ends what is late.

    What ended long ago it deletes.
    """

    def __init__(self, store: Store, settings: Settings, holder: str) -> None:
        """``holder`` names this process in the lock."""
        self._store = store
        self._settings = settings
        self._holder = holder
        self._redis = connect(settings.redis_url, 2.0)
        self._outage = Outage("reconciler")
        self._feeder = Feeder(store, Publisher(self._redis), settings.publish_window)
        self._sender = follow_up_sender(store, settings)
        self._retention = Retention(store, settings)
        self._loop = FeedLoop(self._feeder.feed, self._redis)
        self._auditor = Auditor(
            store.outbox,
            self._redis,
            max(_LOST_AFTER_SECONDS, 2 * settings.visibility_timeout),
            _WINDOWS_TO_AUDIT * settings.publish_window,
        )

    def run_once(self) -> None:
        """Do the periodic work once, unless another process does it now.

        While this is called again and again, and this process holds the lock, queues are
        refilled between the calls too.

        Raises:
            StoreUnavailable: the database is away; try again later. A Redis that is
                away is no error: what cannot be published waits.
        """
        held_at = time.monotonic()
        if not self._store.leases.hold(LOCK, self._holder, _LOCK_SECONDS):
            return
        self._recover()
        if self._store.outbox.expire_deadlines() + self._store.suspects.expire_deadlines():
            announce(self._redis, (), deliveries=True)
        self._retention.sweep()
        try:
            self._check_epoch()
            if lost := self._auditor.audit():
                logger.warning("%d messages were lost; publishing their jobs again", lost)
            self._feeder.feed()
            self._sender.send_all()
            self._loop.keep_on(_FEED_SECONDS - (time.monotonic() - held_at))
        except BrokerUnavailable as error:
            self._outage.failed(error)
        else:
            self._outage.over()

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

    def close(self) -> None:
        """Stop refilling queues, and close the connections to Redis."""
        self._loop.close()
        self._redis.close()
