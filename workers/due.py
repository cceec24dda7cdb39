"""Due jobs straight from SQL, for as long as no message brings them.

While the broker is away a worker goes on from the store alone. One that is idle although
the broker answers takes what is overdue: a message that was never sent, a broker that takes
no messages. A message that comes later finds its job claimed and falls out, as any duplicate.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from lepton_tasks.jobs import ClaimedJob
from lepton_tasks.outage import Outage
from lepton_tasks.queues import Priority
from lepton_tasks.store.due import Queue, Turns
from lepton_tasks.store.store import Store
from workers.broker_watch import BrokerWatch
from workers.holder import Holder
from workers.intake import MAX_UNCLAIMED, Intake
from workers.rates import RateLimits
from workers.reporter import Reporter
from workers.vital import vital_thread

logger = logging.getLogger(__name__)

OVERDUE_SECONDS: Final = 5.0
"""For so long a due job may lack a worker before an idle one takes it without its message."""
_DOUBTFUL_SECONDS: Final = 0.5
"""The same once that has happened, until a message brings a job again."""
_IDLE_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.5
_FIRST_SECONDS: Final = 0.02
_MOST_SECONDS: Final = 0.25
"""Pauses between two questions to the store while the broker is away."""


class DueIntake:
    """A thread that claims due jobs of the consumed queues when messages do not bring them."""

    def __init__(
        self,
        worker_id: str,
        queues: Callable[[], Sequence[Queue]],
        store: Store,
        broker: BrokerWatch,
        limits: Callable[[], RateLimits | None],
        intake: Intake,
        holder: Holder,
        reporter: Reporter,
    ) -> None:
        """``queues`` are those that are consumed now; ``intake`` says what there is room for.

        ``limits`` are Celery's, None before there are any.
        """
        self._worker_id = worker_id
        self._queues = queues
        self._store = store
        self._broker = broker
        self._limits = limits
        self._intake = intake
        self._holder = holder
        self._reporter = reporter
        self._turns = Turns()
        self._pause = _FIRST_SECONDS
        self._away = False
        self._doubted_at = float("-inf")
        self._stopping = threading.Event()
        self._thread = vital_thread(self._run, "due intake")

    def start(self) -> None:
        """Begin to look whether it is needed."""
        self._thread.start()

    def close(self) -> None:
        """Claim nothing more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        outage = Outage("due intake")
        while not self._stopping.is_set():
            self._stopping.wait(outage.attempt(self.look))

    def look(self) -> float:
        """Claim what is due, if messages do not bring it; returns seconds until the next look.

        Raises:
            StoreUnavailable: the database cannot be used.
        """
        away = self._is_away()
        idle = time.monotonic() - self._intake.brought_at > _IDLE_SECONDS
        if not (away or idle):
            return _LOOK_SECONDS
        taken = self._claim(0.0 if away else self._patience())
        if taken and not away:
            self._doubted_at = time.monotonic()
        if not (away or taken):
            return _LOOK_SECONDS
        self._pause = _FIRST_SECONDS if taken else min(2 * self._pause, _MOST_SECONDS)
        return self._pause

    def _patience(self) -> float:
        doubtful = self._doubted_at > self._intake.brought_at
        return _DOUBTFUL_SECONDS if doubtful else OVERDUE_SECONDS

    def _is_away(self) -> bool:
        away = self._broker.is_away()
        if away != self._away:
            self._away = away
            if away:
                logger.warning("Redis does not answer; jobs are taken from the store meanwhile")
            else:
                logger.warning("Redis answers again; jobs come by messages again")
        return away

    def _claim(self, older_than: float) -> int:
        queues = self._queues()
        room = self._intake.room()
        if room <= 0:
            queues = [queue for queue in queues if queue[1] is Priority.HIGH]
            room = self._intake.urgent_room()
        if room <= 0 or not queues:
            return 0
        claims = self._claim_within_limits(queues, min(room, MAX_UNCLAIMED), older_than)
        self._intake.saw(claims)
        self._holder.hold(
            [(claim, self._reporter.without_message(claim.id, claim.task)) for claim in claims]
        )
        return len(claims)

    def _claim_within_limits(
        self, queues: Sequence[Queue], most: int, older_than: float
    ) -> list[ClaimedJob]:
        limits = self._limits()
        allowances = {} if limits is None else limits.allowances()

        def claim(some: Sequence[Queue], limit: int) -> list[ClaimedJob]:
            return self._store.due.claim(self._worker_id, some, limit, self._turns, older_than)

        claims = claim([queue for queue in queues if queue[0] not in allowances], most)
        for task, allowed in allowances.items():
            limit = min(most - len(claims), allowed)
            if limits is not None and limit > 0:
                found = claim([queue for queue in queues if queue[0] == task], limit)
                limits.spend_without_messages(task, len(found))
                claims += found
        return claims
