"""``client.files``: files on the server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Generator, Iterator
from os import PathLike
from pathlib import Path
from typing import IO, Any, Generic, TypedDict, TypeVar, Unpack

from lepton_tasks.client.awaiting import AwaitingDriver
from lepton_tasks.client.blocking import BlockingDriver
from lepton_tasks.client.calling import Caller
from lepton_tasks.client.files import FileSteps, Source, opened
from lepton_tasks.client.views import FileObject

DriverT = TypeVar("DriverT", BlockingDriver, AwaitingDriver)


class FileFilter(TypedDict, total=False):
    """Which files are listed; ``after`` is the id of the file that the list goes on behind."""

    purpose: str | None
    order: str | None
    after: str | None


@contextlib.contextmanager
def kept_if_whole(path: str | PathLike[str]) -> Iterator[IO[bytes]]:
    """A file to write at ``path``, which is there once all of it is."""
    final = Path(path)
    draft = final.with_name(f"{final.name}.part")
    try:
        with draft.open("wb") as content:
            yield content
        draft.replace(final)
    finally:
        draft.unlink(missing_ok=True)


class _FileCalls(Generic[DriverT]):
    _driver: DriverT

    def __init__(self, driver: DriverT, caller: Caller) -> None:
        self._driver = driver
        self._steps = FileSteps(caller)


class FileCalls(_FileCalls[BlockingDriver]):
    """Files on the server."""

    def upload(
        self,
        source: Source,
        *,
        purpose: str = "batch",
        filename: str | None = None,
        expires_seconds: int | None = None,
    ) -> FileObject:
        """Upload a path, bytes or an open binary file; it is read bit by bit.

        ``expires_seconds`` after it was made the server deletes it.

        Raises:
            ClientError: it was not accepted.
            OSError: it cannot be read.
        """
        with opened(source, filename) as part:
            return self._driver.run(self._steps.upload(part, purpose, expires_seconds))

    def get(self, file_id: str) -> FileObject:
        """Read what is known of a file."""
        return self._driver.run(self._steps.get(file_id))

    def list(self, **only: Unpack[FileFilter]) -> Generator[FileObject, None, None]:
        """Yield files, newest first; further pages are read as they are needed."""
        return self._driver.iterate(self._steps.listed(only))

    def content(self, file_id: str) -> Generator[bytes, None, None]:
        """Yield the bytes of a file in pieces, over a link that may break in between."""
        return self._driver.iterate(self._steps.content(file_id))

    def lines(self, file_id: str) -> Generator[Any, None, None]:
        """Yield the JSON of each line of a file."""
        return self._driver.iterate(self._steps.lines(file_id))

    def download(self, file_id: str, path: str | PathLike[str]) -> Path:
        """Write a file to ``path``, where it is once it is whole."""
        with kept_if_whole(path) as content:
            for piece in self.content(file_id):
                content.write(piece)
        return Path(path)

    def delete(self, file_id: str) -> None:
        """Delete a file.

        Raises:
            WrongState: a batch that has not ended reads it.
        """
        self._driver.run(self._steps.delete(file_id))


class AsyncFileCalls(_FileCalls[AwaitingDriver]):
    """Files on the server; see :class:`FileCalls`, whose methods are awaited here."""

    async def upload(
        self,
        source: Source,
        *,
        purpose: str = "batch",
        filename: str | None = None,
        expires_seconds: int | None = None,
    ) -> FileObject:
        """Upload a path, bytes or an open binary file; see :meth:`FileCalls.upload`."""
        with opened(source, filename) as part:
            return await self._driver.run(self._steps.upload(part, purpose, expires_seconds))

    async def get(self, file_id: str) -> FileObject:
        """Read what is known of a file."""
        return await self._driver.run(self._steps.get(file_id))

    def list(self, **only: Unpack[FileFilter]) -> AsyncGenerator[FileObject, None]:
        """Yield files, newest first."""
        return self._driver.iterate(self._steps.listed(only))

    def content(self, file_id: str) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a file in pieces; see :meth:`FileCalls.content`."""
        return self._driver.iterate(self._steps.content(file_id))

    def lines(self, file_id: str) -> AsyncGenerator[Any, None]:
        """Yield the JSON of each line of a file."""
        return self._driver.iterate(self._steps.lines(file_id))

    async def download(self, file_id: str, path: str | PathLike[str]) -> Path:
        """Write a file to ``path``, where it is once it is whole."""
        with kept_if_whole(path) as content:
            async for piece in self.content(file_id):
                content.write(piece)
        return Path(path)

    async def delete(self, file_id: str) -> None:
        """Delete a file; see :meth:`FileCalls.delete`."""
        await self._driver.run(self._steps.delete(file_id))
