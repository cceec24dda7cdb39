"""From message to held job: one claim for all that was fetched."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.jobs import ClaimedJob
from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.store.claims import Adoption
from lepton_tasks.store.store import Store
from workers.engines.base import Engine
from workers.finisher import Finisher
from workers.held import HeldJob, HeldJobs, Input
from workers.outcomes import WRONG_OPTIONS, Failed
from workers.pool import Loading
from workers.preparer import Preparer
from workers.refusal import Refused
from workers.reporter import Reporter
from workers.text_free import describe
from workers.vital import vital_thread
from workers.window import Window

logger = logging.getLogger(__name__)

MAX_UNCLAIMED = 128
"""Messages that may wait for their claim; fetching stops beyond it."""
_RETRY_SECONDS = 1.0
_ITEMS_AT_FIRST = 32.0
"""Items that a job is taken to hold before any was claimed: a bulk shard's."""


class Models(Protocol):
    """The engines of this worker."""

    @property
    def tasks(self) -> Mapping[str, AnyTask]:
        """The tasks that this worker serves, by name."""
        ...

    def engine(self, task: str, model: str | None = None) -> Engine | Loading | Refused:
        """Return the engine for a job at once, or what stands in its way."""
        ...

    def default(self, task: str) -> Engine:
        """Return the engine of the task's default model."""
        ...


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
        models: Models,
        store: Store,
        window_items: int,
        stages: Sequence[Sized],
        preparer: Preparer,
        finisher: Finisher,
        reporter: Reporter,
        held: HeldJobs,
    ) -> None:
        self._worker_id = worker_id
        self._models = models
        self._parked: dict[HeldJob, None] = {}
        self._store = store
        self._window = Window(window_items, (self, *stages))
        self._preparer = preparer
        self._finisher = finisher
        self._reporter = reporter
        self._held = held
        self._defaults: dict[str, Any] = {}
        self._received: list[Received] = []
        self._items_per_job = _ITEMS_AT_FIRST
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
        if self._closed:
            return 0
        waiting = len(self._received)
        messages = int((free - waiting * self._items_per_job) / self._items_per_job)
        if not waiting and self._window.is_empty():
            messages = max(1, messages)  # a job larger than the window runs all the same
        return max(0, min(MAX_UNCLAIMED - waiting, messages))

    def put(self, received: Received) -> None:
        """Take a message; called on the event loop, returns at once."""
        with self._arrived:
            self._received.append(received)
            self._arrived.notify()

    def __len__(self) -> int:
        """Items of jobs that wait for their model to be loaded."""
        return sum(len(job.outputs) for job in list(self._parked))

    def close(self) -> list[HeldJob]:
        """Claim nothing more; returns the jobs that waited for a model.

        What is unclaimed stays unacknowledged: the broker restores it.
        """
        with self._arrived:
            self._closed = True
            self._arrived.notify()
        self._thread.join()
        parked, self._parked = list(self._parked), {}
        return parked

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
            try:
                claims = self._store.claims.claim(self._worker_id, ids, adoptions)
                break
            except (StoreUnavailable, DBAPIError) as error:
                if self._closed:
                    return
                logger.warning("cannot claim %d jobs, trying again: %s", len(fetch), error)
                time.sleep(_RETRY_SECONDS)
        requests = {received.job_id: received.request for received in fetch}
        owned = {claim.id for claim in claims}
        self._reporter.acknowledge(
            [received.request for received in fetch],
            [received.request for received in fetch if received.job_id not in owned],
        )
        misplaced = [claim for claim in claims if claim.task not in self._models.tasks]
        if misplaced:  # of a task whose message came by another's queue: back to its own
            self._release(misplaced)
        jobs = [
            job
            for claim in claims
            if claim.task in self._models.tasks
            and (job := self._hold(claim, requests[claim.id])) is not None
        ]
        self._held.add(jobs)
        self._preparer.add(jobs)

    def _release(self, claims: Sequence[ClaimedJob]) -> None:
        logger.warning("%d jobs came by the queue of another task", len(claims))
        try:
            self._store.claims.release(claims)
        except (StoreUnavailable, DBAPIError) as error:
            logger.warning("they come back when the lease ends: %s", error)

    def _hold(self, claim: ClaimedJob, request: Any) -> HeldJob | None:
        """Make a held job with its engine; None where it has to wait for one or fails here."""
        task = self._models.tasks[claim.task]
        self._items_per_job += 0.1 * (len(claim.payload.inputs) - self._items_per_job)
        job = HeldJob(claim, task, self._models.default(claim.task), None, request)
        try:
            job.options = self._options(task, claim.payload.options)
        except ValidationError as error:
            logger.error("job %s has wrong options: %s", claim.id, describe(error))
            self._fail(job, WRONG_OPTIONS)
            return None
        found = self._models.engine(claim.task, job.options.model)
        if isinstance(found, Refused):
            self._fail(job, Failed(found.code, found.message))
            return None
        if isinstance(found, Loading):
            self._parked[job] = None
            found.then(partial(self._unpark, job))
            return None
        job.engine = found
        return job

    def _unpark(self, job: HeldJob, found: Engine | Refused) -> None:
        if job not in self._parked:
            return  # given back meanwhile
        del self._parked[job]
        if isinstance(found, Refused):
            self._fail(job, Failed(found.code, found.message))
            return
        job.engine = found
        self._held.add([job])
        self._preparer.add([job])

    def _fail(self, job: HeldJob, why: Failed) -> None:
        inputs = range(len(job.claim.payload.inputs))
        self._finisher.fail([Input(job, place) for place in inputs], why)

    def _options(self, task: AnyTask, given: Mapping[str, Any]) -> Any:
        if given:
            return task.options_model.model_validate(given)
        if task.name not in self._defaults:
            self._defaults[task.name] = task.options_model.model_validate({})
        return self._defaults[task.name]
