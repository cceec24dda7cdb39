"""From message to held job: one claim for all that was fetched."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.jobs import ClaimedJob
from lepton_tasks.store.adoptions import Adoption
from lepton_tasks.store.store import Store
from workers.giving_back import give_back
from workers.holder import Holder
from workers.reporter import Reporter
from workers.vital import vital_thread
from workers.window import Window

logger = logging.getLogger(__name__)

MAX_UNCLAIMED = 128
"""Messages that may wait for their claim; fetching stops beyond it."""
_RETRY_SECONDS = 1.0
_LEASE_POLL_SECONDS = 0.1
_ITEMS_AT_FIRST = 32.0
"""Items that a job is taken to hold before any was claimed: a bulk shard's."""


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """A fetched message: its Celery request, and the row to make where it has none."""

    request: Any
    job_id: str
    adoption: Adoption | None = None


class Intake:
    """A thread that claims what was fetched and hands it on to be encoded."""

    def __init__(
        self,
        worker_id: str,
        store: Store,
        window: Window,
        holder: Holder,
        reporter: Reporter,
        may_claim: Callable[[], bool] = lambda: True,
    ) -> None:
        """``may_claim`` says whether the lease is fresh: without it what is claimed is lost."""
        self._may_claim = may_claim
        self._worker_id = worker_id
        self._store = store
        self._window = window
        self._holder = holder
        self._reporter = reporter
        self._received: list[Received] = []
        self._items_per_job = _ITEMS_AT_FIRST
        self.claimed_at = self.brought_at = time.monotonic()
        """When a job was claimed, and when a message brought one, by the monotonic clock."""
        self._arrived = threading.Condition()
        self._closed = False
        self._thread = vital_thread(self._run, "intake")

    def start(self) -> None:
        """Begin to claim."""
        self._thread.start()

    def room(self) -> int:
        """Messages that may be fetched now; asked on the event loop before each fetch.

        How many items a message holds is known once it is claimed, so until then each
        counts as many as jobs held of late.
        """
        return self._room(self._window.free())

    def urgent_room(self) -> int:
        """Messages of the most urgent queues that may be fetched though the window is full."""
        return self._room(self._window.free_for_urgent())

    def _room(self, free: int) -> int:
        if self._closed or not self._may_claim():
            return 0
        waiting = len(self._received)
        messages = int((free - waiting * self._items_per_job) / self._items_per_job)
        if not waiting and self._window.is_empty():
            messages = max(1, messages)  # a job larger than the window runs all the same
        return max(0, min(MAX_UNCLAIMED - waiting, messages))

    def saw(self, claims: Sequence[ClaimedJob]) -> None:
        """Learn from claimed jobs, whichever way they came: when, and how many items they hold."""
        if claims:
            self.claimed_at = time.monotonic()
        for claim in claims:
            self._items_per_job += 0.1 * (len(claim.payload.inputs) - self._items_per_job)

    def put(self, received: Received) -> None:
        """Take a message; called on the event loop, returns at once."""
        with self._arrived:
            self._received.append(received)
            self._arrived.notify()

    def close(self) -> None:
        """Claim nothing more. What is unclaimed stays unacknowledged: the broker restores it."""
        with self._arrived:
            self._closed = True
            self._arrived.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._arrived:
                while not self._received and not self._closed:
                    self._arrived.wait()
                if self._closed:
                    return
                fetch, self._received = self._received, []
            self._claim(fetch)

    def _claim(self, fetch: Sequence[Received]) -> None:
        ids = [received.job_id for received in fetch if received.adoption is None]
        adoptions = [received.adoption for received in fetch if received.adoption is not None]
        while True:
            if not self._may_claim():
                if self._closed:
                    return
                time.sleep(_LEASE_POLL_SECONDS)
                continue
            try:
                claims = self._store.claims.claim(self._worker_id, ids, adoptions)
                break
            except (StoreUnavailable, DBAPIError) as error:
                if self._closed:
                    return
                logger.warning("cannot claim %d jobs, trying again: %s", len(fetch), error)
                time.sleep(_RETRY_SECONDS)
        requests = {received.job_id: received.request for received in fetch}
        kept = {claim.id for claim in claims if self._holder.serves(claim.task)}
        self._reporter.acknowledge(
            [received.request for received in fetch],
            [
                received.request
                for received in fetch
                if received.job_id not in kept or received.request is not requests[received.job_id]
            ],
        )
        misplaced = [claim for claim in claims if not self._holder.serves(claim.task)]
        if misplaced:  # of a task whose message came by another's queue: back to its own
            logger.warning("%d jobs came by the queue of another task", len(misplaced))
            give_back(self._store, misplaced)
        ours = [claim for claim in claims if self._holder.serves(claim.task)]
        self.saw(ours)
        if ours:
            self.brought_at = self.claimed_at
        self._holder.hold([(claim, requests[claim.id]) for claim in ours])
