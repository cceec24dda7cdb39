"""Jobs: submit, read, wait, list, cancel, delete. The logic alone, for both clients."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Final, TypeVar

from lepton_tasks.client.calling import MOST_PAGE, Caller, entries
from lepton_tasks.client.effects import END, Emit, Pause, Pull, Steps
from lepton_tasks.client.errors import (
    ClientError,
    InvalidRequest,
    JobCancelled,
    JobEnded,
    JobExpired,
    JobFailed,
    StillWaiting,
)
from lepton_tasks.client.messages import Request
from lepton_tasks.client.submissions import PATH, JobFields, submission
from lepton_tasks.client.tasks import ItemError, Outputs
from lepton_tasks.client.views import Job, TaskInfo, read_view
from lepton_tasks.errors import InvalidInput
from lepton_tasks.states import JobState

POLL_SECONDS: Final = 30.0
"""How long the server keeps a call that waits for a job; it would keep it for 60."""
DEFAULT_CHUNK: Final = 64
DEFAULT_WINDOW: Final = 8
MOST_CHUNK: Final = 256
_GIVE_UP_SECONDS: Final = 5.0
_SOON: Final = 0.5
"""Pause after a wait that the server cut short, as one does that stops."""
_WAIT_RETRIES: Final = 4
"""Who waits has time: a wait is asked again so many times as often as another call."""
_SWEEP_SECONDS: Final = 1.0
_SWEEP_CALLS: Final = 100.0
"""Most calls a second while several jobs are waited for."""
_INPUT: Final = re.compile(r"inputs\[(\d+)\]")

OutputT = TypeVar("OutputT")


def output_of(job: Job, outputs: Outputs[OutputT]) -> OutputT:
    """The output of an ended job with one input.

    Raises:
        JobEnded: it has none.
    """
    _check_succeeded(job)
    if job.outputs is not None:
        raise InvalidInput(f"{job.id} has several inputs: ask for its results()", "inputs")
    return outputs.one(job.id, job.output)


def outputs_in(job: Job, outputs: Outputs[OutputT]) -> list[OutputT | ItemError]:
    """All outputs of an ended job, in the order of its inputs.

    Raises:
        JobEnded: it has none.
    """
    _check_succeeded(job)
    values = [job.output] if job.outputs is None else job.outputs
    return [outputs.read(value) for value in values]


_ENDS: Final[Mapping[str, type[JobEnded]]] = {
    JobState.CANCELLED: JobCancelled,
    JobState.EXPIRED: JobExpired,
}


def _check_succeeded(job: Job) -> None:
    if job.state == JobState.SUCCEEDED:
        return
    kind = _ENDS.get(job.state, JobFailed)
    if job.error is not None:
        raise kind(job.id, job.error.code, job.error.message)
    raise kind(job.id, job.state, f"the job is {job.state}")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A job that is under way, and those of its ``size`` inputs that were refused beforehand."""

    job_id: str | None
    size: int
    refused: Mapping[int, ItemError]

    def outputs(self, job: Job | None, outputs: Outputs[OutputT]) -> list[OutputT | ItemError]:
        """An output or an error for each input, in order; the job has ended."""
        computed: deque[OutputT | ItemError] = deque()
        if job is not None:
            found = self._computed(job, outputs)
            computed.extend(found)
        return [
            self.refused[place] if place in self.refused else computed.popleft()
            for place in range(self.size)
        ]

    def _computed(self, job: Job, outputs: Outputs[OutputT]) -> list[OutputT | ItemError]:
        try:
            return outputs_in(job, outputs)
        except JobEnded as error:
            return [ItemError(error.code, error.message)] * (self.size - len(self.refused))


class JobSteps:
    """Operations on jobs."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def submit(self, request: Request, *, waits: bool = False) -> Steps[Job]:
        """Submit a job. With ``waits``, wait for room where there is none."""
        return read_view(Job, (yield from self._caller.json(request, waits=waits)))

    def get(self, job_id: str) -> Steps[Job]:
        """Read a job."""
        return (yield from self._read(job_id, 0.0))

    def wait(self, job_id: str, timeout: float | None) -> Steps[Job]:
        """Read a job once it has ended.

        Raises:
            StillWaiting: it has not within ``timeout`` seconds.
        """
        end = _end(timeout)
        while True:
            asked = min(POLL_SECONDS, max(0.0, end - time.monotonic()))
            begun = time.monotonic()
            job = yield from self._read(job_id, asked)
            if job.ended:
                return job
            now = time.monotonic()
            if now >= end:
                raise StillWaiting((job_id,), timeout or 0.0)
            if now - begun < asked / 2:
                yield Pause(min(_SOON, end - now))

    def finished(self, request: Request, timeout: float | None, *, keep: bool) -> Steps[Job]:
        """Submit a job and read it once it has ended.

        Where the wait is interrupted nobody knows the job, so it is cancelled, unless ``keep``
        says that its idempotency key is known.
        """
        job = yield from self.submit(request)
        try:
            return (yield from self.wait(job.id, timeout))
        except Exception:
            raise
        except BaseException:
            if not keep:
                yield from self._give_up(job.id)
            raise

    def as_completed(self, jobs: Mapping[str, Job], timeout: float | None) -> Steps[None]:
        """Emit jobs as they end, in whichever order.

        Each is looked at about once a second, or as often as 100 calls a second allow where
        there are many.

        Raises:
            StillWaiting: some have not within ``timeout`` seconds; it names them.
        """
        end = _end(timeout)
        open_: deque[str] = deque()
        for job_id, job in jobs.items():
            if job.ended:
                yield Emit(job)
            else:
                open_.append(job_id)
        while open_:
            left = end - time.monotonic()
            if left <= 0:
                raise StillWaiting(tuple(open_), timeout or 0.0)
            sweep = max(_SWEEP_SECONDS, len(open_) / _SWEEP_CALLS)
            job_id = open_.popleft()
            job = yield from self._read(job_id, min(left, sweep / (len(open_) + 1)))
            if job.ended:
                yield Emit(job)
            else:
                open_.append(job_id)

    def submit_many(self, task: str, chunk: int, fields: JobFields) -> Steps[None]:
        """Pull inputs, submit a job for every ``chunk`` of them, and emit the jobs in order."""
        for number in count():
            inputs = yield from _pull_chunk(chunk)
            if not inputs:
                return
            request = submission(task, inputs=inputs, **_numbered(fields, number))
            yield Emit((yield from self.submit(request, waits=True)))

    def map(
        self,
        task: str,
        outputs: Outputs[OutputT],
        chunk: int,
        window: int,
        timeout: float | None,
        fields: JobFields,
    ) -> Steps[None]:
        """Pull inputs and emit their outputs in the same order.

        At most ``window`` jobs of ``chunk`` inputs are under way; those that are left when the
        consumer stops are cancelled. In place of what cannot be computed, or is no input of
        the task, an ItemError is emitted.
        """
        under_way: deque[Chunk] = deque()
        try:
            for number in count():
                inputs = yield from _pull_chunk(chunk)
                if inputs:
                    sent = yield from self._send_chunk(task, inputs, _numbered(fields, number))
                    under_way.append(sent)
                while under_way and (not inputs or len(under_way) >= window):
                    first = under_way[0]
                    done = None
                    if first.job_id is not None:
                        done = yield from self.wait(first.job_id, timeout)
                    under_way.popleft()
                    for output in first.outputs(done, outputs):
                        yield Emit(output)
                if not inputs:
                    return
        finally:
            for left in under_way:
                if left.job_id is not None:
                    yield from self._give_up(left.job_id)

    def _send_chunk(self, task: str, inputs: list[Any], fields: JobFields) -> Steps[Chunk]:
        """Submit a job of those of ``inputs`` that the server takes."""
        wrong: dict[int, ItemError] = {}
        while True:
            places = [place for place in range(len(inputs)) if place not in wrong]
            if not places:
                return Chunk(None, len(inputs), wrong)
            request = submission(task, inputs=[inputs[place] for place in places], **fields)
            try:
                job = yield from self.submit(request, waits=True)
            except InvalidRequest as error:
                found = _INPUT.match(error.param or "")
                if found is None or int(found[1]) >= len(places):
                    raise
                wrong[places[int(found[1])]] = ItemError(error.code, error.told.message)
            else:
                return Chunk(job.id, len(inputs), wrong)

    def listed(self, params: Mapping[str, Any]) -> Steps[None]:
        """Emit jobs, newest first, page by page."""
        yield from self._caller.pages(PATH, {"limit": MOST_PAGE, **params}, partial(read_view, Job))

    def cancel(self, job_id: str) -> Steps[Job]:
        """Cancel a job; one that has ended stays as it is."""
        request = Request("POST", f"{PATH}/{job_id}/cancel")
        return read_view(Job, (yield from self._caller.json(request)))

    def redrive(self, job_id: str) -> Steps[Job]:
        """Put a dead job back into its queue."""
        request = Request("POST", f"{PATH}/{job_id}/redrive")
        return read_view(Job, (yield from self._caller.json(request)))

    def delete(self, job_id: str) -> Steps[None]:
        """Delete a job, its texts and its results."""
        yield from self._caller.json(Request("DELETE", f"{PATH}/{job_id}"))

    def tasks(self) -> Steps[list[TaskInfo]]:
        """The tasks that the server takes."""
        page = yield from self._caller.json(Request("GET", "/v1/tasks"))
        return [read_view(TaskInfo, entry) for entry in entries(page)]

    def _read(self, job_id: str, wait: float) -> Steps[Job]:
        params = {"wait": f"{wait:.3f}"} if wait > 0 else {}
        request = Request("GET", f"{PATH}/{job_id}", params, patience=wait)
        retries = self._caller.configuration.max_retries * _WAIT_RETRIES if wait > 0 else None
        return read_view(Job, (yield from self._caller.json(request, retries=retries)))

    def _give_up(self, job_id: str) -> Steps[None]:
        """Cancel a job that nobody waits for any more, if that can be done."""
        request = Request("POST", f"{PATH}/{job_id}/cancel", most=_GIVE_UP_SECONDS)
        try:
            yield from self._caller.json(request, retries=0)
        except (ClientError, RuntimeError):  # a client that is closed raises the latter
            return


def _pull_chunk(size: int) -> Steps[list[Any]]:
    chunk: list[Any] = []
    while len(chunk) < size:
        item = yield Pull()
        if item is END:
            break
        chunk.append(item)
    return chunk


def _numbered(fields: JobFields, number: int) -> JobFields:
    """Fields of the job of a chunk: a caller's key becomes one for each."""
    key = fields.get("idempotency_key")
    return fields if key is None else {**fields, "idempotency_key": f"{key}:{number}"}


def check_chunk(chunk: int, window: int = 1) -> None:
    """Refuse sizes that no job has.

    Raises:
        InvalidInput: ``chunk`` or ``window`` is out of bounds.
    """
    if not 1 <= chunk <= MOST_CHUNK:
        raise InvalidInput(f"chunk must be between 1 and {MOST_CHUNK}", "chunk")
    if window < 1:
        raise InvalidInput("window must be 1 or more", "window")


def _end(timeout: float | None) -> float:
    return float("inf") if timeout is None else time.monotonic() + timeout
