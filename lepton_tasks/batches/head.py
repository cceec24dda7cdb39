"""What is wrong with the first lines of a file, which can be told before a batch is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lepton_tasks.batches.request_lines import (
    LineFault,
    duplicate,
    empty_file,
    read_line,
    unreadable,
)
from lepton_tasks.bulk.errors import RunStopped
from lepton_tasks.bulk.physical import InputFile, Unreadable
from lepton_tasks.errors import InvalidInput, StorageUnavailable

HEAD_LINES: Final = 100
HEAD_BYTES: Final = 64 * 1024
"""Bytes, unpacked, after which no other line is begun."""
MOST_BYTES: Final = 4 << 20
"""Bytes of the file that are read at most; what no line has come of by then is not judged."""
MOST_PACKED: Final = 256 << 10
"""The same where it is packed: empty frames without end take long to read past."""


class _Enough(Exception):
    """The head has been read."""


def head_fault(path: Path, endpoint: str) -> LineFault | None:
    """Find the first fault in the first lines of the file of a batch that asks ``endpoint``.

    Raises:
        StorageUnavailable: the file cannot be read.
    """
    most = MOST_BYTES

    def look(place: int) -> None:
        if place >= most:
            raise _Enough

    try:
        with InputFile(path, look) as file:
            most = MOST_PACKED if file.packed else MOST_BYTES
            return _first_fault(file, endpoint)
    except _Enough:
        return None
    except (InvalidInput, RunStopped) as error:
        raise StorageUnavailable("the content of the file cannot be read") from error


def _first_fault(file: InputFile, endpoint: str) -> LineFault | None:
    seen: dict[str, int] = {}
    number = size = 0
    try:
        for number, raw in enumerate(file.lines(), 1):
            line = read_line(number, raw, endpoint)
            if isinstance(line, LineFault):
                return line
            if line is not None:
                if line.custom_id in seen:
                    return duplicate(number, seen[line.custom_id])
                seen[line.custom_id] = number
            size += len(raw or b"")
            if number == HEAD_LINES or size >= HEAD_BYTES:
                return None
    except Unreadable as error:
        return unreadable(number + 1, error)
    return None if seen else empty_file()
