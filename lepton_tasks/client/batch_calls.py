"""``client.batches``: many lines at once, results while they are made."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import IO, Any, Generic, TypeVar, Unpack

from lepton_tasks.client.awaiting import AwaitingDriver
from lepton_tasks.client.batch_handles import AsyncBatchHandle, BatchHandle
from lepton_tasks.client.batch_lines import BatchResult
from lepton_tasks.client.batches import BatchFields, BatchSteps, line_writer
from lepton_tasks.client.blocking import BlockingDriver
from lepton_tasks.client.calling import Caller
from lepton_tasks.client.effects import Steps
from lepton_tasks.client.file_calls import AsyncFileCalls, FileCalls
from lepton_tasks.client.tasks import Outputs, outputs_of
from lepton_tasks.client.views import Batch
from lepton_tasks.errors import InvalidInput

DriverT = TypeVar("DriverT", BlockingDriver, AwaitingDriver)
FilesT = TypeVar("FilesT", FileCalls, AsyncFileCalls)

Lines = Iterable[Any] | str | PathLike[str] | IO[bytes]
"""Items, or the path of a file of requests, or such a file."""


class _BatchCalls(Generic[DriverT, FilesT]):
    _driver: DriverT
    _files: FilesT

    def __init__(self, driver: DriverT, caller: Caller, files: FilesT) -> None:
        self._driver = driver
        self._steps = BatchSteps(caller)
        self._files = files

    def _creation(
        self,
        lines: Any,
        input_file_id: str | None,
        endpoint: str | None,
        task: str | None,
        options: Mapping[str, Any] | None,
        fields: BatchFields,
    ) -> Steps[Batch]:
        if (lines is None) == (input_file_id is None):
            raise InvalidInput("give lines, or the input_file_id of a file of requests", "lines")
        if input_file_id is not None:
            if endpoint is None:
                raise InvalidInput("endpoint must be that of the file's lines", "endpoint")
            return self._steps.of_file(input_file_id, endpoint, fields)
        writer = line_writer(endpoint, task, options)
        if isinstance(lines, str | PathLike) or hasattr(lines, "read"):
            return self._steps.of_path(lines, writer.endpoint, fields)
        return self._steps.of_items(writer, fields)


class BatchCalls(_BatchCalls[BlockingDriver, FileCalls]):
    """Batches: many lines at once."""

    def create(
        self,
        lines: Lines | None = None,
        /,
        *,
        input_file_id: str | None = None,
        task: str | None = None,
        endpoint: str | None = None,
        options: Mapping[str, Any] | None = None,
        **fields: Unpack[BatchFields],
    ) -> BatchHandle[Any]:
        """Make a batch of items for a ``task``, or of requests for an ``endpoint``.

        ``lines`` is the path of a file of requests, or yields items: inputs of the task, or
        texts or bodies for the endpoint; ``(custom_id, item)`` gives an item a name, which
        is its number otherwise. Items are written to a file on this disk as they come, so
        there may be any number of them. ``options`` are those of all items. Instead of lines,
        ``input_file_id`` names a file of requests that was uploaded.

        Raises:
            InvalidInput: neither task nor endpoint is given, or there are no items.
            ClientError: it was not accepted.
        """
        steps = self._creation(lines, input_file_id, endpoint, task, options, fields)
        batch = self._driver.run(steps, _items(lines))
        return self._handle(batch, outputs_of(task or ""))

    def get(self, batch_id: str, *, task: str = "") -> BatchHandle[Any]:
        """Read a batch; outputs are those of ``task`` where it was made for one."""
        return self._handle(self._driver.run(self._steps.get(batch_id)), outputs_of(task))

    def list(self, *, after: str | None = None) -> Generator[BatchHandle[Any], None, None]:
        """Yield batches, newest first; further pages are read as they are needed."""
        for batch in self._driver.iterate(self._steps.listed({"after": after})):
            yield self._handle(batch, outputs_of(""))

    def wait(self, batch_id: str, timeout: float | None = None) -> BatchHandle[Any]:
        """Wait until a batch has ended; see :meth:`BatchHandle.wait`."""
        return self.get(batch_id).wait(timeout)

    def results(
        self, batch_id: str, *, task: str = "", after: str | None = None
    ) -> Generator[BatchResult[Any], None, None]:
        """Yield the results of a batch while it runs; see :meth:`BatchHandle.results`."""
        return self._driver.iterate(self._steps.results(batch_id, outputs_of(task), after))

    def cancel(self, batch_id: str) -> BatchHandle[Any]:
        """Cancel a batch; what is done is kept."""
        return self._handle(self._driver.run(self._steps.cancel(batch_id)), outputs_of(""))

    def download(self, batch_id: str, path: str | PathLike[str]) -> Path:
        """Write the file of a batch's outputs; see :meth:`BatchHandle.download`."""
        return self.get(batch_id).download(path)

    def _handle(self, batch: Batch, outputs: Outputs[Any]) -> BatchHandle[Any]:
        return BatchHandle(self._driver, self._steps, self._files, batch, outputs)


class AsyncBatchCalls(_BatchCalls[AwaitingDriver, AsyncFileCalls]):
    """Batches; see :class:`BatchCalls`, whose methods are awaited here."""

    async def create(
        self,
        lines: Lines | AsyncIterable[Any] | None = None,
        /,
        *,
        input_file_id: str | None = None,
        task: str | None = None,
        endpoint: str | None = None,
        options: Mapping[str, Any] | None = None,
        **fields: Unpack[BatchFields],
    ) -> AsyncBatchHandle[Any]:
        """Make a batch; see :meth:`BatchCalls.create`."""
        steps = self._creation(lines, input_file_id, endpoint, task, options, fields)
        batch = await self._driver.run(steps, _items(lines))
        return self._handle(batch, outputs_of(task or ""))

    async def get(self, batch_id: str, *, task: str = "") -> AsyncBatchHandle[Any]:
        """Read a batch; see :meth:`BatchCalls.get`."""
        return self._handle(await self._driver.run(self._steps.get(batch_id)), outputs_of(task))

    async def list(
        self, *, after: str | None = None
    ) -> AsyncGenerator[AsyncBatchHandle[Any], None]:
        """Yield batches, newest first."""
        async for batch in self._driver.iterate(self._steps.listed({"after": after})):
            yield self._handle(batch, outputs_of(""))

    async def wait(self, batch_id: str, timeout: float | None = None) -> AsyncBatchHandle[Any]:
        """Wait until a batch has ended; see :meth:`BatchHandle.wait`."""
        return await (await self.get(batch_id)).wait(timeout)

    def results(
        self, batch_id: str, *, task: str = "", after: str | None = None
    ) -> AsyncGenerator[BatchResult[Any], None]:
        """Yield the results of a batch while it runs; see :meth:`BatchHandle.results`."""
        return self._driver.iterate(self._steps.results(batch_id, outputs_of(task), after))

    async def cancel(self, batch_id: str) -> AsyncBatchHandle[Any]:
        """Cancel a batch; what is done is kept."""
        return self._handle(await self._driver.run(self._steps.cancel(batch_id)), outputs_of(""))

    async def download(self, batch_id: str, path: str | PathLike[str]) -> Path:
        """Write the file of a batch's outputs; see :meth:`BatchHandle.download`."""
        return await (await self.get(batch_id)).download(path)

    def _handle(self, batch: Batch, outputs: Outputs[Any]) -> AsyncBatchHandle[Any]:
        return AsyncBatchHandle(self._driver, self._steps, self._files, batch, outputs)


def _items(lines: Any) -> Any:
    """What items are pulled from; a path has none."""
    return () if lines is None or isinstance(lines, str | PathLike) else lines
