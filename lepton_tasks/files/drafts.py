"""Files that are being written: whole and durable in their place at the end, or gone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from lepton_tasks.files.faults import NO_ROOM, translated
from lepton_tasks.managed import Closing
from lepton_tasks.version_files import flush_folder

BLOCK: Final = 1 << 20
"""Bytes that are copied at a time."""


class Places(Protocol):
    """Where things belong in the folder of files."""

    @property
    def folder(self) -> Path:
        """The whole of it."""
        ...

    def path(self, file_id: str) -> Path:
        """Where the content of a file belongs."""
        ...

    def part_path(self, upload_id: str, part_id: str) -> Path:
        """Where a part of an upload belongs."""
        ...


class Draft(Closing):
    """A file that is being written, by one thread at a time.

    At the end of a ``with`` block it is gone, unless it was published.
    """

    def __init__(self, places: Places, path: Path) -> None:
        """Make it, readable by this user alone.

        Raises:
            OSError: it cannot be made.
        """
        self.size = 0
        """Bytes that it has."""
        self._places = places
        self._path: Path | None = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = open(os.open(path, flags, 0o600), "wb", buffering=0)  # noqa: SIM115, PTH123

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append all of ``data``.

        Raises:
            StorageUnavailable: the disk is full or failed.
        """
        rest = memoryview(data)
        with translated():
            while rest:
                done = self._file.write(rest)
                self.size += done
                rest = rest[done:]

    def append(self, source: Path, seen: Callable[[bytes], object] | None = None) -> None:
        """Append a whole file; ``seen`` gets its bytes, block by block, where it is given.

        Without it the kernel copies, and shares blocks where the file system can.

        Raises:
            StorageUnavailable: the disk is full or failed, or ``source`` cannot be read.
        """
        with translated(), source.open("rb", buffering=0) as whole:
            if seen is None:
                self._copy(whole.fileno())
            while block := whole.read(BLOCK):
                if seen is not None:
                    seen(block)
                self.write(block)

    def _copy(self, source: int) -> None:
        """Copy as far as the kernel does; what is left is for whoever reads on."""
        try:
            while done := os.copy_file_range(source, self._file.fileno(), 1 << 30):
                self.size += done
        except OSError as error:
            if error.errno in NO_ROOM:
                raise

    def publish(self, file_id: str) -> None:
        """Make it the content of ``file_id``, whole and durable when this returns.

        Raises:
            StorageUnavailable: the disk is full or failed; it is gone at the end of the block.
        """
        self.publish_as(self._places.path(file_id))

    def publish_part(self, upload_id: str, part_id: str) -> None:
        """The same for a part of an upload."""
        self.publish_as(self._places.part_path(upload_id, part_id))

    def publish_as(self, target: Path) -> None:
        """The same for any place within the folder."""
        assert self._path is not None  # noqa: S101
        with translated():
            os.fsync(self._file.fileno())
            self._file.close()
            make_folder(target.parent, self._places.folder)
            self._path.rename(target)
            self._path = target  # which goes, too, where the next line fails
            flush_folder(target.parent)
        self._path = None

    def close(self) -> None:
        """Let go of it; gone, unless it was published."""
        with contextlib.suppress(OSError):
            self._file.close()
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            self._path = None


def make_folder(folder: Path, root: Path) -> None:
    """Make a folder below ``root``, and it, where they are not there; their names are durable."""
    if folder.is_dir():
        return
    if folder != root:
        make_folder(folder.parent, root)
        folder.mkdir(mode=0o700, exist_ok=True)
        flush_folder(folder.parent)
    else:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
