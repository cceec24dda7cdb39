"""Physical lines of a file, plain, gzip or Zstandard, in memory that does not grow with the file.

A line over :data:`MAX_LINE_BYTES` is read past without being held. What could be
read for ever and yield nothing (a line without end, blank lines without end, as a
decompression bomb has them) ends the reading: see :data:`MAX_SKIPPED_BYTES` and
:data:`MAX_BLANK_LINES`. A bomb made of true lines is an ordinary large file.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any, BinaryIO, Final

from lepton_tasks.bulk.compression import HEAD_BYTES, compression_named, compression_of
from lepton_tasks.bulk.errors import RunStopped
from lepton_tasks.errors import InvalidInput
from lepton_tasks.managed import Closing

MAX_LINE_BYTES: Final = 1 << 20
"""Longest line that is taken in, its end included."""
MAX_SKIPPED_BYTES: Final = 64 << 20
"""Length at which a line counts as endless."""
MAX_BLANK_LINES: Final = 1_000_000
"""Blank lines in a row at which the rest counts as empty."""

_CHUNK: Final = 1 << 16


class Unreadable(Exception):
    """The rest of the file cannot be read as lines; ``code`` and the message say why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _WatchedFile(FileIO):
    """A file whose every block is announced, with its place, before it is read."""

    def __init__(self, path: Path, look: Callable[[int], object]) -> None:
        super().__init__(path)
        self._look = look

    def readinto(self, buffer: Any, /) -> int | None:
        """Read the next block; what the announcement raises ends the reading."""
        self._look(self.tell())
        return super().readinto(buffer)


def open_input(
    path: Path, look: Callable[[int], object] | None = None
) -> tuple[BufferedReader[Any], int]:
    """Open a file at its beginning; the second value is its size in bytes.

    ``look`` is told how many bytes were read before each block is, and raises to end it.

    Raises:
        InvalidInput: it cannot be opened, or is no regular file.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise InvalidInput(f"{path} is not a regular file; save the lines to one", "FILE")
        if look is not None:
            return BufferedReader(_WatchedFile(path, look), _CHUNK), facts.st_size
        return path.open("rb"), facts.st_size
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}", "FILE") from error


class InputFile(Closing):
    """An open input file; iterate :meth:`lines` once, from its beginning.

    ``size`` is its bytes on disk, packed where it is.
    """

    def __init__(self, path: Path, look: Callable[[int], object] | None = None) -> None:
        """Open ``path``; its content tells whether and how it is packed.

        A packed file may go on and on without a line, or any byte, coming of it. So ``look``,
        where it is given, is called before each block is read from the disk, with how many
        bytes were read before; it raises to end that.

        Raises:
            InvalidInput: it cannot be opened, is no regular file, or is called ``.gz`` or
                ``.zst`` and holds something else.
        """
        self.path = path
        self._file, self.size = open_input(path, look)
        self._packed = compression_of(self._file.peek(HEAD_BYTES))
        said = compression_named(path)
        if said is not None and self._packed is not said:
            self._file.close()
            raise InvalidInput(
                f"{path} is called {said.suffix} but is not {said.name}; rename it", "FILE"
            )
        self._stream: BinaryIO = self._packed.unpack(self._file)

    @property
    def packed(self) -> bool:
        """Whether it is packed."""
        return self._packed.suffix != ""

    @property
    def position(self) -> int:
        """Bytes on disk that have been read, out of :attr:`size`."""
        return self._file.tell()

    def lines(self) -> Iterator[bytes | None]:
        """Yield every line with its end, blank ones too, and None for one over the cap.

        Raises:
            Unreadable: the rest is endless, or the packed stream is damaged.
            RunStopped: the disk failed.
        """
        try:
            yield from self._lines()
        except self._packed.faults as error:
            code, message = self._packed.problem(error)
            raise Unreadable(code, message) from error
        except OSError as error:
            raise RunStopped(f"cannot read {self.path} to its end: {error.strerror}") from error

    def _lines(self) -> Iterator[bytes | None]:
        readline = self._stream.readline
        blank = 0
        while raw := readline(MAX_LINE_BYTES + 1):
            if len(raw) > MAX_LINE_BYTES:
                blank = 0
                self._skip(raw)
                yield None
                continue
            if raw.isspace():
                blank += 1
                if blank > MAX_BLANK_LINES:
                    raise Unreadable(
                        "endless_blank",
                        f"over {MAX_BLANK_LINES:,} blank lines in a row; "
                        "the rest of the file was not read",
                    )
            else:
                blank = 0
            yield raw

    def _skip(self, part: bytes) -> None:
        length = len(part)
        while part and not part.endswith(b"\n"):
            if length > MAX_SKIPPED_BYTES:
                raise Unreadable(
                    "endless_line",
                    f"over {MAX_SKIPPED_BYTES >> 20} MiB without an end of line; "
                    "the rest of the file was not read",
                )
            part = self._stream.readline(_CHUNK)
            length += len(part)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        self._file.close()
