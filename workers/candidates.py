"""The stage between claim and encoding: what items need of a corpus is looked up here."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol

from lepton_tasks.errors import NotFound
from lepton_tasks.nlp.retrieval import CorpusTask, FoundPassage, Lookup
from lepton_tasks.outage import OUTAGES, Outage
from workers.bounded import BoundedCalls
from workers.errors import ModelError
from workers.held import HeldJob, HeldJobs, Input
from workers.outcomes import CANCELLED, Failed
from workers.preparer import Failures
from workers.text_free import describe
from workers.vital import vital_thread

logger = logging.getLogger(__name__)

MOST_CHARACTERS: Final = 16_000_000
"""Characters of found passages that jobs may hold at a time; beyond it no more is looked up."""
_IDLE_SECONDS: Final = 2.0
"""How often an idle worker looks for documents to index, and for some that were erased."""
_BREATH_SECONDS: Final = 0.1
"""Between pages that are indexed when idle: the model's threads want the interpreter too."""
_FULL_SECONDS: Final = 0.05
_LOOKUP_SECONDS: Final = 60.0
"""Longest lookup; reading a large index after a start is part of it."""

NO_CORPUS: Final = Failed(
    "corpus_not_found", "the corpus that the option `corpus` names is not there, or not any more"
)

NOT_INDEXED: Final = Failed(
    "corpus_not_indexed", "a document of the corpus takes too long to be indexed", retryable=True
)


class Search(Protocol):
    """What looks passages up."""

    def find(self, tenant: str, wanted: Lookup) -> list[FoundPassage]:
        """Do a lookup; raises NotFound for a corpus that the tenant does not have."""
        ...

    def index(self, tenant: str, corpus: str) -> bool:
        """Index some documents of a corpus; False where there was none left."""
        ...

    def index_any(self) -> bool:
        """Index some documents of any corpus; whether there was one."""
        ...

    def refresh(self) -> None:
        """Let go of what is kept of documents that were erased."""
        ...


class CandidateStage:
    """A thread that does lookups, so that nothing else waits for them.

    Jobs that need none pass at once. Of the others those of the most urgent priority come
    first and take turns, an input at a time; while their documents are still being indexed
    the others go on. When idle it indexes what was added to any corpus.
    """

    def __init__(
        self,
        sink: Callable[[Sequence[HeldJob]], None],
        search: Search,
        failures: Failures,
        held: HeldJobs,
        indexes: bool,
    ) -> None:
        """``sink`` takes jobs whose lookups are done.

        ``indexes`` says whether this worker serves tasks that look into corpora.
        """
        self._sink = sink
        self._search = search
        self._failures = failures
        self._held = held
        self._bounded = BoundedCalls(_LOOKUP_SECONDS, "lookup")
        self._indexes = indexes
        self._waiting: deque[HeldJob] = deque()
        self._passed: dict[HeldJob, int] = {}
        self._wanted = threading.Condition()
        self._closed = False
        self._looked = time.monotonic()
        self._outage = Outage("corpora")
        self._thread = vital_thread(self._run, "candidates")

    def start(self) -> None:
        """Begin to look up."""
        self._thread.start()

    def __len__(self) -> int:
        """Inputs of the jobs that wait for a lookup."""
        return sum(len(job.outputs) for job in list(self._waiting))

    def add(self, jobs: Sequence[HeldJob]) -> None:
        """Take claimed jobs; those that need no lookup pass."""
        looking = [job for job in jobs if corpus_of(job) is not None]
        if others := [job for job in jobs if corpus_of(job) is None]:
            self._sink(others)
        if looking:
            with self._wanted:
                if not self._closed:
                    self._waiting.extend(looking)
                    self._wanted.notify()

    def close(self) -> list[HeldJob]:
        """Look up nothing more; returns the jobs that waited for it."""
        with self._wanted:
            self._closed = True
            self._wanted.notify()
        self._thread.join()
        self._bounded.close()
        return list(self._waiting)

    def _run(self) -> None:
        while True:
            with self._wanted:
                if not self._indexes:
                    self._wanted.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                job = self._next()
            pause = self._outage.attempt(lambda job=job: self._step(job))  # type: ignore[misc]
            with self._wanted:
                self._wanted.wait_for(partial(self._is_wanted, job is None), pause)

    def _is_wanted(self, idle: bool) -> bool:
        """Whether a pause ends at once."""
        return self._closed or (idle and bool(self._waiting))

    def _next(self) -> HeldJob | None:
        """The first of the most urgent, if there is one; it goes behind the others of its kind."""
        if not self._waiting:
            return None
        job = min(self._waiting, key=lambda one: one.claim.priority.rank)
        self._waiting.remove(job)
        self._waiting.append(job)
        return job

    def _step(self, job: HeldJob | None) -> float:
        """Do one piece of work; returns the seconds to wait before the next."""
        clock = time.monotonic()
        if job is None or clock - self._looked > _IDLE_SECONDS:
            self._looked = clock
            self._search.refresh()
        if job is None:
            return _BREATH_SECONDS if self._search.index_any() else _IDLE_SECONDS
        if job.cancelled:
            self._fail(job, CANCELLED)
        elif self._is_full():
            return _FULL_SECONDS
        else:
            self._look_up(job)
        return 0.0

    def _look_up(self, job: HeldJob) -> None:
        tenant, corpus = job.claim.tenant, str(corpus_of(job))
        try:
            if self._bounded(partial(self._search.index, tenant, corpus)):
                return  # there may be more; others come first
            place = next((one for one in job.places() if one not in job.found), None)
            if place is not None:
                job.found[place] = self._found(job, place)
        except NotFound:
            self._fail(job, NO_CORPUS)
            return
        except TimeoutError:
            self._fail(job, NOT_INDEXED)
            return
        if all(place in job.found for place in job.places()):
            self._passed[job] = sum(
                len(one.text) for found in job.found.values() for one in found or ()
            )
            self._leave(job)
            self._sink([job])

    def _found(self, job: HeldJob, place: int) -> Sequence[FoundPassage] | None:
        """What there is for one input; None where looking raises, which fails that input."""
        tenant, task = job.claim.tenant, job.task

        def work() -> Sequence[FoundPassage]:
            item = task.read_item(job.claim.payload.inputs[place])
            wanted = task.lookup(item, job.options) if isinstance(task, CorpusTask) else None
            return () if wanted is None else self._search.find(tenant, wanted)

        try:
            found: Sequence[FoundPassage] = self._bounded(work)
            return found
        except (NotFound, ModelError, *OUTAGES):
            raise
        except Exception as error:  # noqa: BLE001 - one input's failure is an outcome
            logger.warning("job %s: a lookup failed: %s", job.claim.id, describe(error))
            return None

    def _is_full(self) -> bool:
        self._passed = {
            job: size for job, size in self._passed.items() if self._held.holds(job.claim.id)
        }
        return sum(self._passed.values()) > MOST_CHARACTERS

    def _fail(self, job: HeldJob, why: Failed) -> None:
        self._leave(job)
        self._failures.fail([Input(job, place) for place in job.places()], why)

    def _leave(self, job: HeldJob) -> None:
        with self._wanted:
            self._waiting.remove(job)


def corpus_of(job: HeldJob) -> str | None:
    """The corpus that a job's options name."""
    if not isinstance(job.task, CorpusTask):
        return None
    corpus: Any = job.options.corpus
    return None if corpus is None else str(corpus)
