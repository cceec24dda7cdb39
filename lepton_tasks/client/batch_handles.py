"""A batch in the hand of whoever wants its results."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from os import PathLike
from pathlib import Path
from typing import Generic, Self, TypeVar

from lepton_tasks.client.awaiting import AwaitingDriver
from lepton_tasks.client.batch_lines import BatchResult
from lepton_tasks.client.batches import BatchSteps, check_not_failed
from lepton_tasks.client.blocking import BlockingDriver
from lepton_tasks.client.errors import StillWaiting
from lepton_tasks.client.file_calls import AsyncFileCalls, FileCalls
from lepton_tasks.client.tasks import Outputs
from lepton_tasks.client.views import Batch, LineCounts

OutputT = TypeVar("OutputT")
OtherT = TypeVar("OtherT")
DriverT = TypeVar("DriverT", BlockingDriver, AwaitingDriver)
FilesT = TypeVar("FilesT", FileCalls, AsyncFileCalls)


class _BatchHandle(Generic[DriverT, FilesT, OutputT]):
    """What a handle knows without asking the server. ``batch`` is as it was last read."""

    _driver: DriverT
    _files: FilesT

    def __init__(
        self,
        driver: DriverT,
        steps: BatchSteps,
        files: FilesT,
        batch: Batch,
        outputs: Outputs[OutputT],
    ) -> None:
        self._driver = driver
        self._steps = steps
        self._files = files
        self._outputs = outputs
        self.batch = batch

    @property
    def id(self) -> str:
        """Its id, ``batch_…``."""
        return self.batch.id

    @property
    def status(self) -> str:
        """Its status, as it was last read."""
        return self.batch.status

    @property
    def counts(self) -> LineCounts:
        """Its lines, as they were counted when it was last read."""
        return self.batch.request_counts

    @property
    def ended(self) -> bool:
        """Whether it had ended when it was last read."""
        return self.batch.ended

    def saw(self, batch: Batch) -> Self:
        """Remember the batch as it is now."""
        self.batch = batch
        return self

    def _output_file(self) -> str:
        """Id of the file of its outputs; raises where there is none."""
        if not self.ended:
            raise StillWaiting((self.id,), 0.0)
        check_not_failed(self.batch)
        if self.batch.output_file_id is None:
            raise FileNotFoundError(f"{self.id} has no outputs: no line succeeded")
        return self.batch.output_file_id

    def __repr__(self) -> str:
        counts = self.counts
        done = f"{counts.completed}+{counts.failed}/{counts.total}"
        return f"<{type(self).__name__} {self.id} {self.status} {done}>"


class BatchHandle(_BatchHandle[BlockingDriver, FileCalls, OutputT]):
    """A batch. Its methods ask the server; what it was last is in ``batch``."""

    def typed(self, outputs: Outputs[OtherT]) -> BatchHandle[OtherT]:
        """The batch, with outputs of a task that is known."""
        return BatchHandle(self._driver, self._steps, self._files, self.batch, outputs)

    def refresh(self) -> Self:
        """Read it again."""
        return self.saw(self._driver.run(self._steps.get(self.id)))

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until it has ended, however that is.

        Raises:
            StillWaiting: it has not within ``timeout`` seconds; it goes on.
        """
        return self.saw(self._driver.run(self._steps.wait(self.id, timeout)))

    def results(self, after: str | None = None) -> Generator[BatchResult[OutputT], None, None]:
        """Yield the result of each line once, while it runs: outputs, then what has none.

        ``after`` is the ``cursor`` of the last result that is known already.

        Raises:
            BatchFailed: its file was refused.
        """
        return self._driver.iterate(self._steps.results(self.id, self._outputs, after))

    def cancel(self) -> Self:
        """Cancel it; what is done is kept, and is among its results."""
        return self.saw(self._driver.run(self._steps.cancel(self.id)))

    def download(self, path: str | PathLike[str]) -> Path:
        """Write the file of its outputs to ``path`` once it has ended.

        Raises:
            StillWaiting: it has not ended; see :meth:`wait`.
            BatchFailed: its file was refused.
            FileNotFoundError: no line succeeded.
        """
        last = self if self.ended else self.refresh()
        return self._files.download(last._output_file(), path)


class AsyncBatchHandle(_BatchHandle[AwaitingDriver, AsyncFileCalls, OutputT]):
    """A batch; see :class:`BatchHandle`, whose methods are awaited here."""

    def typed(self, outputs: Outputs[OtherT]) -> AsyncBatchHandle[OtherT]:
        """The batch, with outputs of a task that is known."""
        return AsyncBatchHandle(self._driver, self._steps, self._files, self.batch, outputs)

    async def refresh(self) -> Self:
        """Read it again."""
        return self.saw(await self._driver.run(self._steps.get(self.id)))

    async def wait(self, timeout: float | None = None) -> Self:
        """Wait until it has ended; see :meth:`BatchHandle.wait`."""
        return self.saw(await self._driver.run(self._steps.wait(self.id, timeout)))

    def results(self, after: str | None = None) -> AsyncGenerator[BatchResult[OutputT], None]:
        """Yield the result of each line; see :meth:`BatchHandle.results`."""
        return self._driver.iterate(self._steps.results(self.id, self._outputs, after))

    async def cancel(self) -> Self:
        """Cancel it; what is done is kept."""
        return self.saw(await self._driver.run(self._steps.cancel(self.id)))

    async def download(self, path: str | PathLike[str]) -> Path:
        """Write the file of its outputs to ``path``; see :meth:`BatchHandle.download`."""
        last = self if self.ended else await self.refresh()
        return await self._files.download(last._output_file(), path)
