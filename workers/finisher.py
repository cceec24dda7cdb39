"""From raw answers to stored results: decode, sum up, all that is ready in one transaction."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.jobs import FinishedJob
from lepton_tasks.store.store import Store
from workers.held import HeldJob, HeldJobs, Input, Item
from workers.outcomes import Done, Failed, Outcome, refused
from workers.reporter import Ended, Reporter
from workers.text_free import describe
from workers.vital import vital_thread

logger = logging.getLogger(__name__)

MOST_WAITING: Final = 8
"""Micro-batches that may wait here; beyond it a slow store slows the model."""
_MOST_AT_ONCE: Final = 512
_RETRY_SECONDS: Final = 1.0

_Answers = Sequence[tuple[Input | Item, Outcome]]


class Finisher:
    """A thread that decodes answers and commits finished jobs. Its queue is bounded."""

    def __init__(
        self,
        store: Store,
        announce: Callable[[Iterable[str]], None],
        reporter: Reporter,
        held: HeldJobs,
        go_on: Callable[[HeldJob], None],
        retry_in: Callable[[int], float | None],
    ) -> None:
        """``announce`` is told the ids of jobs that have ended.

        ``go_on`` is called with a suspect after each of its inputs but the last.
        ``retry_in`` says in how many seconds a job is run again that was so often
        already; None when its failure is final.
        """
        self._go_on = go_on
        self._retry_in = retry_in
        self._store = store
        self._announce = announce
        self._reporter = reporter
        self._held = held
        self._ready: queue.Queue[_Answers | None] = queue.Queue(MOST_WAITING)
        self._thread = vital_thread(self._run, "finisher")

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def put(self, answers: _Answers) -> None:
        """Take what became of a micro-batch's items; blocks while the store is behind."""
        self._ready.put(answers)

    def fail(self, inputs: Sequence[Input], why: Failed) -> None:
        """Take inputs that will never reach the model."""
        self.put([(one, why) for one in inputs])

    def close(self) -> None:
        """Commit what was put and stop."""
        self._ready.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            finished: list[tuple[HeldJob, FinishedJob]] = []
            answers = self._ready.get()
            while answers is not None:
                for one, outcome in answers:
                    if settle(one, outcome):
                        finished.append((one.job, one.job.finished()))
                    elif one.job.alone:
                        self._go_on(one.job)
                if len(finished) >= _MOST_AT_ONCE or self._ready.empty():
                    break
                answers = self._ready.get()
            for first in range(0, len(finished), _MOST_AT_ONCE):
                self._commit(finished[first : first + _MOST_AT_ONCE])
            if answers is None:
                return

    def _commit(self, jobs: Sequence[tuple[HeldJob, FinishedJob]]) -> None:
        again = [
            (held.claim, wait) for held, _ in jobs if (wait := self._wait_of(held)) is not None
        ]
        retried = _stored(lambda: self._store.claims.retry(again), len(again))
        final = [finished for held, finished in jobs if held.claim.id not in retried]
        taken = _stored(lambda: self._store.claims.finish(final), len(final))
        self._held.discard(held for held, _ in jobs)
        if len(taken) < len(final):
            logger.warning("%d stale results were not written", len(final) - len(taken))
        self._announce(taken)
        now = time.monotonic()
        self._reporter.ended(
            [
                Ended(
                    held.request,
                    now - (held.started_at or now),
                    _how(done, held.claim.id in retried, held.claim.id in taken),
                )
                for held, done in jobs
            ]
        )

    def _wait_of(self, job: HeldJob) -> float | None:
        """Seconds until a job is run again; None where how it went is final."""
        if not job.retryable or job.cancelled:
            return None
        wait = self._retry_in(job.claim.retries)
        return None if wait is None else max(wait, job.retry_after)


def _stored(write: Callable[[], set[str]], jobs: int) -> set[str]:
    """Write until the store takes it; a write that went in and is repeated matches nothing."""
    while True:
        try:
            return write()
        except (StoreUnavailable, DBAPIError) as error:
            logger.warning("cannot store %d results, trying again: %s", jobs, error)
            time.sleep(_RETRY_SECONDS)


def settle(one: Input | Item, outcome: Outcome) -> bool:
    """Put an outcome into its job; True when that was the job's last open input."""
    job = one.job
    if isinstance(outcome, Failed):
        return job.fail_item(
            one.place, outcome.code, outcome.message, outcome.retryable, outcome.retry_after
        )
    try:
        output = _decoded(one, outcome)
    except Exception as error:  # noqa: BLE001 - one item's failure is an outcome
        logger.warning("job %s: an answer cannot be decoded: %s", job.claim.id, describe(error))
        if (why := refused(error)) is not None:
            return job.fail_item(one.place, why.code, why.message)
        return job.fail_item(one.place, "decoding_failed", f"decoding raised {_name(error)}")
    return job.complete(one.place, output)


def _decoded(one: Any, outcome: Done) -> bytes:
    output = one.job.task.decode(outcome.raw, one.model_input, one.job.options)
    encoded: bytes = output.model_dump_json().encode()
    return encoded


def _how(finished: FinishedJob, retried: bool, taken: bool) -> str | None:
    if retried:
        return "retried"
    if not taken:
        return "lost"
    if finished.cancelled:
        return "cancelled"
    return None if finished.error is None else "failed"


def _name(error: Exception) -> str:
    return type(error).__name__
