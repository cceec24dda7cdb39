"""Between the worker and a generator: items in, outcomes to the finisher, texts to followers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from workers.errors import TemporaryFailure
from workers.finisher import Finisher
from workers.generation.requests import GenerationRefused, OnDevice
from workers.generation.streamer import Streamer, TextWriter
from workers.generation.writing import Asked, Writer, Written
from workers.held import HeldJob, Item
from workers.outcomes import CANCELLED, Done, Failed, Outcome, raised
from workers.progress import Share
from workers.reporter import Reporter


def naming(share: Share) -> OnDevice:
    """Return what tells ``share`` which inputs are on the device, by the ids of requests."""

    def on_device(ids: Sequence[str]) -> None:
        share.hold(_input_name(request_id) for request_id in ids)

    return on_device


class Desk:
    """Hands encoded prompts to one writer; it never waits, the window bounds what it holds."""

    def __init__(
        self,
        generator: Writer,
        finisher: Finisher,
        reporter: Reporter,
        streamer: Streamer,
        is_revoked: Callable[[str], bool],
    ) -> None:
        """``is_revoked`` says of a job's id whether Celery was told to revoke it."""
        self._generator = generator
        self._finisher = finisher
        self._reporter = reporter
        self._streamer = streamer
        self._is_revoked = is_revoked
        self._held: dict[str, Item] = {}
        self._given_back: set[HeldJob] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to generate."""
        self._generator.start()

    def __len__(self) -> int:
        """Items that wait or are being written."""
        return len(self._held)

    def add(self, items: Sequence[Item]) -> None:
        """Take items of this generator's model."""
        self._reporter.begin(items)
        for item in items:
            job = item.job
            request = item.encoded.tokens.request(
                _request_id(item.name), item.rank, job.claim.tenant, alone=job.alone
            )
            with self._lock:
                self._held[request.id] = item
            self._submit(request, item)

    def heed_cancels(self) -> None:
        """End what is written for jobs that were cancelled or revoked meanwhile."""
        with self._lock:
            held = list(self._held.items())
        for request_id, item in held:
            if self._is_revoked(item.job.claim.id):
                item.job.cancelled = True
            if item.job.cancelled:
                self._generator.cancel(request_id)

    def close(self, until: float) -> list[HeldJob]:
        """Let no text begin; returns the jobs with texts that did not, which are given back.

        What is being written may end until that time on the monotonic clock, unless its
        job is given back: then nobody would read it.
        """
        given_back = self._give_back(self._generator.close(until))
        with self._lock:
            useless = [key for key, item in self._held.items() if item.job in self._given_back]
        for request_id in useless:
            self._generator.cancel(request_id)
        return given_back

    def stop(self) -> list[HeldJob]:
        """Wait for what may still end; returns the jobs with texts that did not."""
        return self._give_back(self._generator.stop())

    def _give_back(self, request_ids: Sequence[str]) -> list[HeldJob]:
        with self._lock:
            jobs = dict.fromkeys(self._held.pop(request_id).job for request_id in request_ids)
            fresh = [job for job in jobs if job not in self._given_back]
            self._given_back.update(fresh)
        return fresh

    def _submit(self, request: Asked, item: Item) -> None:
        writer = None
        if request.spec.stream:
            writer = self._streamer.open(item.job.claim.id, item.job.claim.fence, item.place)

        def on_done(outcome: Written | Exception) -> None:
            self._done(request.id, outcome, writer)

        try:
            self._generator.submit(request, on_done, None if writer is None else writer.text)
        except GenerationRefused as error:
            self._answer(request.id, Failed(error.code, str(error)))

    def _done(
        self, request_id: str, outcome: Written | Exception, writer: TextWriter | None
    ) -> None:
        with self._lock:
            if self._held[request_id].job in self._given_back:
                del self._held[request_id]
                return
        answer: Outcome
        if isinstance(outcome, Exception):
            reason, answer = "error", _failed(outcome)
        else:
            reason, answer = outcome.finish_reason.value, Done(outcome.raw())
        if writer is not None:
            writer.end(reason)
        self._answer(request_id, answer)

    def _answer(self, request_id: str, outcome: Outcome) -> None:
        with self._lock:
            item = self._held.pop(request_id)
        self._finisher.put([(item, CANCELLED if item.job.cancelled else outcome)])


def _request_id(name: tuple[str, int]) -> str:
    """Name an input, given as (job id, place), for the generator.

    >>> _request_id(("job:1", 3)), _input_name("job:1:3")
    ('job:1:3', ('job:1', 3))
    """
    job_id, place = name
    return f"{job_id}:{place}"


def _input_name(request_id: str) -> tuple[str, int]:
    job_id, _, place = request_id.rpartition(":")
    return job_id, int(place)


def _failed(error: Exception) -> Failed:
    """What came of a text that the generator gave up, whose cause it wraps, or that was refused."""
    if isinstance(error, GenerationRefused):
        return Failed(error.code, str(error))
    if isinstance(error, TemporaryFailure):
        return raised(error)
    cause = error.__cause__
    return raised(cause if isinstance(cause, Exception) else error)
