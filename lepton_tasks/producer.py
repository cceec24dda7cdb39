"""For Python producers: submit jobs durably, read and cancel them."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.publisher import Publisher
from lepton_tasks.broker.revival import Revival
from lepton_tasks.broker.wakeups import Waiter, announce
from lepton_tasks.corpora import CorpusLimits, Pages, check_name, read_document
from lepton_tasks.errors import BrokerUnavailable, InvalidInput, StoreUnavailable
from lepton_tasks.gate import Gate
from lepton_tasks.group_commit import GroupCommit
from lepton_tasks.jobs import Job, NewJob, Submitted
from lepton_tasks.managed import Closing
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.queues import Priority
from lepton_tasks.requests import Admission, JobRequest
from lepton_tasks.settings import Settings
from lepton_tasks.states import TERMINAL
from lepton_tasks.store.corpora import Corpus
from lepton_tasks.store.documents import Added
from lepton_tasks.store.insertion import Outcome, Stored
from lepton_tasks.store.store import Store, open_store
from lepton_tasks.window import Window

logger = logging.getLogger(__name__)

CHUNK: Final = 1_000
"""Jobs a transaction when many are submitted."""
MOST_WEIGHT: Final = 500_000
"""Bound of a transaction: a job weighs its tokens and about what its row costs beside them."""
_ROW_WEIGHT: Final = 250
_POLL_SECONDS: Final = 0.5


class Producer(Closing):
    """Submits jobs: the row is committed first, the message follows.

    A job that :meth:`submit` returned is never lost, whatever happens to Redis:
    what could not be published in time is published later from the store.
    """

    def __init__(
        self, settings: Settings, store: Store | None = None, *, durable: bool = True
    ) -> None:
        """Connect with ``settings``; a ``store`` that is already open is shared, not owned.

        One that is not ``durable`` does not wait for the disk: the jobs that were submitted
        last may be lost in a power cut, and no earlier ones without them. For whoever sees
        afterwards which are there, and submits the others again.

        Raises:
            LeptonError: the store cannot be used, or no Redis is configured or running.
        """
        self.settings = settings
        self._durable = durable
        self.store = store or open_store(settings)
        self._owns_store = store is None
        self.conversations = self.store.conversations
        self.admission = Admission(
            find_tasks(),
            settings.max_items_per_job,
            self.store.corpora.exists,
            settings.conversation_seconds,
        )
        self._redis = connect(settings.redis_url, settings.publish_timeout)
        self._publisher = Publisher(self._redis)
        self._waiter = Waiter(connect(settings.redis_url, 1.0))
        self._window = Window(settings.publish_window, on_lost=lambda: self._revival.expect())
        self._revival = Revival(self._redis, self._window.found)
        self._gate = Gate(self.store.jobs, settings.tenant_backlog)
        self._commits = GroupCommit(self._commit, self._publish, _weight, MOST_WEIGHT)

    def submit(
        self,
        task: str,
        input: Any = None,
        *,
        inputs: Sequence[Any] | None = None,
        options: Mapping[str, Any] | None = None,
        priority: str = Priority.NORMAL,
        ttl_seconds: float | None = None,
        run_at: float | None = None,
        webhook: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        tenant: str | None = None,
    ) -> Submitted:
        """Store and publish one job; ``run_at`` is in Unix seconds.

        Raises:
            InvalidInput: a field is wrong; nothing was stored.
            IdempotencyConflict: the key was used before for another job.
            Conflict: a turn of the job's conversation has not ended; nothing was stored.
            Gone: the conversation has expired; nothing was stored.
            Overloaded: too many jobs of the tenant wait in this queue; nothing was stored.
        """
        request = JobRequest(
            task=task,
            input=input,
            inputs=inputs,
            options=options,
            priority=priority,
            ttl_seconds=ttl_seconds,
            run_at=run_at,
            webhook=webhook,
            metadata=metadata,
            idempotency_key=idempotency_key,
        )
        job = self.admission.admit(tenant or self.settings.default_tenant, request)
        return self.put([job])[0]

    def submit_many(
        self, requests: Iterable[JobRequest], *, tenant: str | None = None, chunk: int = CHUNK
    ) -> Iterator[Submitted]:
        """Store and publish many jobs, up to ``chunk`` of them a transaction.

        Requests are read, and answers given, as the iteration goes on, so neither has
        to fit into memory; without iterating nothing is submitted. A job is stored
        and published before its answer comes.

        Raises:
            InvalidInput: a request is wrong; the message gives its number, from 0. Nothing
                is stored of its chunk, and what was answered before stays.
            IdempotencyConflict: a key was used before for another job; as above.
            Overloaded: too many jobs of the tenant wait in a queue; as above.
            StoreUnavailable: the database cannot be used; as above.
        """
        if chunk < 1:
            raise InvalidInput("chunk must be at least 1", "chunk")
        owner = tenant or self.settings.default_tenant
        jobs: list[NewJob] = []
        weight = 0
        for number, request in enumerate(requests):
            try:
                job = self.admission.admit(owner, request)
            except InvalidInput as error:
                raise InvalidInput(f"request {number}: {error}", error.param, error.code) from error
            jobs.append(job)
            weight += _weight([job])
            if len(jobs) == chunk or weight >= MOST_WEIGHT:
                yield from self.put(jobs)
                jobs, weight = [], 0
        yield from self.put(jobs)

    def put(self, jobs: Sequence[NewJob]) -> list[Submitted]:
        """Store admitted jobs, all of them or none, then publish them.

        Callers in other threads that come meanwhile share the transaction.

        Raises:
            IdempotencyConflict: a key was used before for another job.
            Overloaded: too many jobs of a tenant wait in a queue (``LEPTON_TENANT_BACKLOG``);
                jobs that have all been accepted before are answered all the same.
            StoreUnavailable: the database cannot be used; nothing was stored.
        """
        return self._gate.call(jobs, self._commits.call) if jobs else []

    async def put_async(self, jobs: Sequence[NewJob]) -> list[Submitted]:
        """:meth:`put` for an event loop."""
        return await self._gate.call_async(jobs, self._commits.call_async) if jobs else []

    def _commit(self, groups: Sequence[Sequence[NewJob]], alone: bool) -> Sequence[Outcome]:
        queues = {job.queue for jobs in groups for job in jobs}
        if unsure := self._window.unsure(queues):
            try:
                self._window.saw(self._publisher.lengths(unsure))
            except BrokerUnavailable as error:
                logger.warning("%s; jobs are stored and published later", error)
                self._window.lost()
        # Who is alone has the disk at work while the message is on its way already.
        durable = self._durable and not (alone and self.store.database.can_flush)
        outcomes = self.store.jobs.insert_groups(groups, self._window.allowance, durable)
        self._window.sending(_counts(_due(outcomes)))
        return outcomes

    def _publish(
        self, groups: Sequence[Sequence[NewJob]], outcomes: Sequence[Outcome], alone: bool
    ) -> None:
        due = _due(outcomes)
        held_back = any(one.held_back for one in outcomes if isinstance(one, Stored))
        lengths: dict[str, int] = {}
        try:
            if due or (held_back and not self._window.is_lost):
                lengths = self._publisher.publish(due, held_back)
        except BrokerUnavailable as error:
            logger.warning("%s; the reconciler publishes %d jobs later", error, len(due))
            self._window.lost()
            self._leave_to_reconciler(due)
        self._window.sent(_counts(due), lengths)
        # An answer that names another caller's job promises what that one may still wait for.
        if self._durable and (alone or _replays(outcomes)):
            self.store.database.flush()

    def _leave_to_reconciler(self, jobs: Sequence[NewJob]) -> None:
        # The jobs are committed, so an error here must not look like a refusal; if the
        # mark cannot be taken off, the reconciler finds the lost messages by their age.
        try:
            self.store.jobs.unpublish([job.id for job in jobs])
        except (StoreUnavailable, DBAPIError) as error:
            logger.warning("%s; %d jobs are published once they are missed", error, len(jobs))

    def get(self, job_id: str, tenant: str | None = None) -> Job:
        """Read a job.

        Raises:
            NotFound: the tenant has no such job.
        """
        return self.store.jobs.get(tenant or self.settings.default_tenant, job_id)

    def wait(self, job_id: str, timeout: float, tenant: str | None = None) -> Job:
        """Read a job once it has ended, or as it is after ``timeout`` seconds.

        Raises:
            NotFound: the tenant has no such job.
        """
        end = time.monotonic() + timeout
        with self._waiter.watch(job_id) as watch:
            while True:
                job = self.get(job_id, tenant)
                left = end - time.monotonic()
                if job.state in TERMINAL or left <= 0:
                    return job
                watch.wait(min(left, _POLL_SECONDS))

    def wait_for_any(self, seconds: float) -> None:
        """Sleep until some job has ended, at most ``seconds``."""
        with self._waiter.watch() as watch:
            watch.wait(seconds)

    def cancel(self, job_id: str, tenant: str | None = None) -> Job:
        """Cancel a job: at once while it is queued, at its end while it runs.

        Raises:
            NotFound: the tenant has no such job.
        """
        job = self.store.jobs.cancel(tenant or self.settings.default_tenant, job_id)
        if job.state in TERMINAL and not self._window.is_lost:
            announce(self._redis, [job.id], deliveries=True)
        return job

    def create_corpus(self, name: str, tenant: str | None = None) -> Corpus:
        """Make an empty corpus; jobs look into it by its name or id, the option ``corpus``.

        Raises:
            InvalidInput: it is no name.
            Conflict: the tenant has one of that name, or as many as it may.
        """
        return self.store.corpora.create(tenant or self.settings.default_tenant, check_name(name))

    def add_documents(
        self, corpus: str, documents: Iterable[object], tenant: str | None = None
    ) -> Added:
        """Add documents: ``{"id"?, "text", "metadata"?}``, or a text, each; any number of them.

        They are read and stored some hundreds at a time and replace those that have their
        ids; where one is wrong, what was stored before it stays. The answer has no ids.

        Raises:
            NotFound: the tenant has no such corpus.
            InvalidInput: a document is wrong, the message gives its number, from 0; or the
                corpus is full.
        """
        owner = tenant or self.settings.default_tenant
        limits = CorpusLimits.of(self.settings)
        done = Added(self.store.corpora.get(owner, corpus).version, (), 0, 0, 0)
        pages = Pages()
        for number, value in enumerate(documents):
            if page := pages.add(read_document(value, limits, f"documents[{number}]")):
                done = done.plus(self.store.documents.put(owner, corpus, page, limits))
        if page := pages.rest():
            done = done.plus(self.store.documents.put(owner, corpus, page, limits))
        return done

    def close(self) -> None:
        """Close connections that this producer opened."""
        self._revival.close()
        self._waiter.close()
        self._redis.close()
        if self._owns_store:
            self.store.close()


def _due(outcomes: Sequence[Outcome]) -> list[NewJob]:
    return [job for one in outcomes if isinstance(one, Stored) for job in one.due]


def _replays(outcomes: Sequence[Outcome]) -> bool:
    stored = [one for one in outcomes if isinstance(one, Stored)]
    return any(answer.replayed for one in stored for answer in one.answers)


def _counts(jobs: Sequence[NewJob]) -> Counter[str]:
    return Counter(job.queue for job in jobs)


def _weight(jobs: Sequence[NewJob]) -> int:
    return sum(_ROW_WEIGHT + job.cost for job in jobs)
