"""Publishes the backlog: refills each queue from the store, tenants taking turns."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

from lepton_tasks.broker.publisher import Publisher
from lepton_tasks.errors import BrokerUnavailable
from lepton_tasks.queues import Priority, queue_name
from lepton_tasks.round_robin import DeficitRoundRobin, Waiting
from lepton_tasks.store.outbox import Thin
from lepton_tasks.store.store import Store
from lepton_tasks.window import fill_of

_MOST_JOBS: Final = 1_000
"""Jobs marked in one transaction."""


class Fed(NamedTuple):
    """One round: how many jobs were published, and whether more are due than had room."""

    jobs: int
    more: bool


class Feeder:
    """Feeds queues up to half their window. Several at once would do no harm but waste."""

    def __init__(self, store: Store, publisher: Publisher, window: int) -> None:
        self._store = store
        self._publisher = publisher
        self._fill = fill_of(window)
        # A transaction and a round trip are worth it once a quarter is free.
        self._least = max(1, self._fill // 4)
        self._turns: defaultdict[str, DeficitRoundRobin] = defaultdict(DeficitRoundRobin)
        self._lock = threading.Lock()

    def feed(self) -> Fed:
        """Go once over all queues, urgent ones first.

        Raises:
            BrokerUnavailable: Redis did not answer; what was not published waits.
            StoreUnavailable: the database cannot be used.
        """
        with self._lock:
            queues = self._store.outbox.backlog_queues()
            if not queues:
                return Fed(0, more=False)
            lengths = self._publisher.lengths([queue_name(*queue) for queue in queues])
            fed = [self._feed(*queue, lengths[queue_name(*queue)]) for queue in queues]
        return Fed(sum(one.jobs for one in fed), any(one.more for one in fed))

    def _feed(self, task: str, priority: Priority, length: int) -> Fed:
        free = self._fill - length
        if free < self._least:
            return Fed(0, more=True)
        room = min(free, _MOST_JOBS)
        chosen = self._choose(task, priority, room)
        if chosen:
            marked = self._store.outbox.mark_published([job.id for job in chosen])
            self._publish([Thin(job.id, task, priority) for job in chosen if job.id in marked])
        return Fed(len(chosen), more=len(chosen) == room)

    def _choose(self, task: str, priority: Priority, room: int) -> list[Waiting]:
        turns = self._turns[queue_name(task, priority)]
        with self._store.outbox.backlog(task, priority) as backlog:
            tenants = backlog.tenants(turns.place, turns.cut_short, room)
            page = room // max(1, len(tenants)) + 1
            return turns.choose({one: backlog.jobs(one, page) for one in tenants}, room)

    def _publish(self, jobs: Sequence[Thin]) -> None:
        try:
            self._publisher.publish(jobs)
        except BrokerUnavailable:
            self._store.jobs.unpublish([job.id for job in jobs])
            raise
