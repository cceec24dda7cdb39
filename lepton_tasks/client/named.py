"""One task, as a client calls it."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from typing import Any, Generic, TypeVar, Unpack

from lepton_tasks.client.awaiting import AwaitingDriver
from lepton_tasks.client.batch_calls import AsyncBatchCalls, BatchCalls, Lines
from lepton_tasks.client.batch_handles import AsyncBatchHandle, BatchHandle
from lepton_tasks.client.batches import BatchFields
from lepton_tasks.client.blocking import BlockingDriver
from lepton_tasks.client.calling import Caller
from lepton_tasks.client.effects import Steps
from lepton_tasks.client.file_calls import AsyncFileCalls, FileCalls
from lepton_tasks.client.handles import DEFAULT_WAIT, AsyncJobHandle, JobHandle
from lepton_tasks.client.jobs import DEFAULT_CHUNK, DEFAULT_WINDOW, JobSteps, check_chunk, output_of
from lepton_tasks.client.messages import Request
from lepton_tasks.client.submissions import Input, JobFields, submission
from lepton_tasks.client.tasks import ItemError, Outputs
from lepton_tasks.client.texts import AsyncTextStream, TextStream
from lepton_tasks.client.views import Job
from lepton_tasks.client.writing import WritingFields, Written, write, writing_request

OutputT = TypeVar("OutputT")
DriverT = TypeVar("DriverT", BlockingDriver, AwaitingDriver)


class _Named(Generic[DriverT, OutputT]):
    """A task of a client, and what its answers are."""

    _driver: DriverT

    def __init__(self, driver: DriverT, caller: Caller, outputs: Outputs[OutputT]) -> None:
        self._driver = driver
        self._caller = caller
        self._steps = JobSteps(caller)
        self._outputs = outputs
        self.name = outputs.task

    def _finished(self, request: Request, timeout: float | None, fields: JobFields) -> Steps[Job]:
        keep = fields.get("idempotency_key") is not None
        return self._steps.finished(request, timeout, keep=keep)

    def _map(
        self, chunk: int, window: int, timeout: float | None, fields: JobFields
    ) -> Steps[None]:
        check_chunk(chunk, window)
        return self._steps.map(self.name, self._outputs, chunk, window, timeout, fields)

    def _submit_many(self, chunk: int, fields: JobFields) -> Steps[None]:
        check_chunk(chunk)
        return self._steps.submit_many(self.name, chunk, fields)


class Named(_Named[BlockingDriver, OutputT]):
    """A task. Called with an input, it answers with the output."""

    def __call__(
        self, input: Input, /, *, timeout: float | None = DEFAULT_WAIT, **options: Any
    ) -> OutputT:
        """Submit an input with the task's ``options``, and wait for its output.

        Raises:
            ClientError: it was not accepted.
            JobEnded: it has no output.
            StillWaiting: it has not ended within ``timeout`` seconds; it goes on.
        """
        return self.run(input, timeout=timeout, options=options or None)

    def run(
        self,
        input: Input,
        /,
        *,
        timeout: float | None = DEFAULT_WAIT,
        **fields: Unpack[JobFields],
    ) -> OutputT:
        """Submit an input and wait for its output; ``fields`` are those of the job.

        Where the wait is interrupted the job is cancelled, unless it has an idempotency key.
        """
        request = submission(self.name, input, **fields)
        job = self._driver.run(self._finished(request, timeout, fields))
        return output_of(job, self._outputs)

    def submit(
        self,
        input: Input | None = None,
        /,
        *,
        inputs: Sequence[Input] | None = None,
        **fields: Unpack[JobFields],
    ) -> JobHandle[OutputT]:
        """Submit a job of one input, or of several ``inputs``, and do not wait for it."""
        request = submission(self.name, input, inputs=inputs, **fields)
        job = self._driver.run(self._steps.submit(request))
        return JobHandle(self._driver, self._steps, job, self._outputs)

    def submit_many(
        self,
        inputs: Iterable[Input],
        /,
        *,
        chunk: int = DEFAULT_CHUNK,
        **fields: Unpack[JobFields],
    ) -> Generator[JobHandle[OutputT], None, None]:
        """Submit any number of inputs, ``chunk`` to a job; yields the jobs in order.

        Inputs are taken as the jobs are. Where the server has no room, it waits for some.
        """
        for job in self._driver.iterate(self._submit_many(chunk, fields), inputs):
            yield JobHandle(self._driver, self._steps, job, self._outputs)

    def batch(
        self,
        lines: Lines,
        /,
        *,
        options: Mapping[str, Any] | None = None,
        **fields: Unpack[BatchFields],
    ) -> BatchHandle[OutputT]:
        """Make a batch of any number of inputs; see :meth:`BatchCalls.create`."""
        files = FileCalls(self._driver, self._caller)
        calls = BatchCalls(self._driver, self._caller, files)
        return calls.create(lines, task=self.name, options=options, **fields).typed(self._outputs)

    def map(
        self,
        inputs: Iterable[Input],
        /,
        *,
        chunk: int = DEFAULT_CHUNK,
        window: int = DEFAULT_WINDOW,
        timeout: float | None = DEFAULT_WAIT,
        **fields: Unpack[JobFields],
    ) -> Generator[OutputT | ItemError, None, None]:
        """Yield the output of each input, in order, an ItemError where there is none.

        At most ``window`` jobs of ``chunk`` inputs are under way, so memory stays flat whatever
        there is. Stop early and what is under way is cancelled.

        Raises:
            ClientError: inputs were not accepted.
            StillWaiting: a job has not ended within ``timeout`` seconds of being waited for.
        """
        return self._driver.iterate(self._map(chunk, window, timeout, fields), inputs)


class AsyncNamed(_Named[AwaitingDriver, OutputT]):
    """A task; see :class:`Named`, whose methods are awaited here."""

    async def __call__(
        self, input: Input, /, *, timeout: float | None = DEFAULT_WAIT, **options: Any
    ) -> OutputT:
        """Submit an input with ``options`` and wait for its output."""
        return await self.run(input, timeout=timeout, options=options or None)

    async def run(
        self,
        input: Input,
        /,
        *,
        timeout: float | None = DEFAULT_WAIT,
        **fields: Unpack[JobFields],
    ) -> OutputT:
        """Submit an input and wait for its output; see :meth:`Named.run`."""
        request = submission(self.name, input, **fields)
        job = await self._driver.run(self._finished(request, timeout, fields))
        return output_of(job, self._outputs)

    async def submit(
        self,
        input: Input | None = None,
        /,
        *,
        inputs: Sequence[Input] | None = None,
        **fields: Unpack[JobFields],
    ) -> AsyncJobHandle[OutputT]:
        """Submit a job; see :meth:`Named.submit`."""
        request = submission(self.name, input, inputs=inputs, **fields)
        job = await self._driver.run(self._steps.submit(request))
        return AsyncJobHandle(self._driver, self._steps, job, self._outputs)

    async def submit_many(
        self,
        inputs: Iterable[Input] | AsyncIterable[Input],
        /,
        *,
        chunk: int = DEFAULT_CHUNK,
        **fields: Unpack[JobFields],
    ) -> AsyncGenerator[AsyncJobHandle[OutputT], None]:
        """Submit any number of inputs; see :meth:`Named.submit_many`."""
        async for job in self._driver.iterate(self._submit_many(chunk, fields), inputs):
            yield AsyncJobHandle(self._driver, self._steps, job, self._outputs)

    async def batch(
        self,
        lines: Lines | AsyncIterable[Any],
        /,
        *,
        options: Mapping[str, Any] | None = None,
        **fields: Unpack[BatchFields],
    ) -> AsyncBatchHandle[OutputT]:
        """Make a batch of any number of inputs; see :meth:`BatchCalls.create`."""
        files = AsyncFileCalls(self._driver, self._caller)
        calls = AsyncBatchCalls(self._driver, self._caller, files)
        made = await calls.create(lines, task=self.name, options=options, **fields)
        return made.typed(self._outputs)

    def map(
        self,
        inputs: Iterable[Input] | AsyncIterable[Input],
        /,
        *,
        chunk: int = DEFAULT_CHUNK,
        window: int = DEFAULT_WINDOW,
        timeout: float | None = DEFAULT_WAIT,
        **fields: Unpack[JobFields],
    ) -> AsyncGenerator[OutputT | ItemError, None]:
        """Yield the output of each input, in order; see :meth:`Named.map`."""
        return self._driver.iterate(self._map(chunk, window, timeout, fields), inputs)


class Writer(Named[OutputT]):
    """A task that writes a text."""

    def stream(self, prompt: Any, /, **fields: Unpack[WritingFields]) -> TextStream:
        """The text, piece by piece: of a prompt, or of a dialogue's messages or last message."""
        written = Written()
        request = writing_request(self.name, prompt, fields)
        return TextStream(self._driver, write(self._caller, request, written), written)


class AsyncWriter(AsyncNamed[OutputT]):
    """A task that writes a text."""

    def stream(self, prompt: Any, /, **fields: Unpack[WritingFields]) -> AsyncTextStream:
        """The text, piece by piece; see :meth:`Writer.stream`."""
        written = Written()
        request = writing_request(self.name, prompt, fields)
        return AsyncTextStream(self._driver, write(self._caller, request, written), written)
