"""Lines of a growing file, from a place in it: a *cursor* is the bytes before a line.

Only what is durable is read, so what was read once never changes, and all pages together are
the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from lepton_tasks.errors import InvalidInput

_BLOCK: Final = 1 << 16
_LONGEST_CURSOR: Final = 18


@dataclass(frozen=True, slots=True)
class ResultLine:
    """A line without its end, and the cursor behind it."""

    data: bytes
    cursor: int


def parse_cursor(value: str | None, param: str = "after") -> int:
    """Return a cursor as a client sends it; None is the beginning.

    >>> parse_cursor("42"), parse_cursor(None)
    (42, 0)

    Raises:
        InvalidInput: it is none.
    """
    if value is None:
        return 0
    if not (value.isascii() and value.isdigit() and len(value) <= _LONGEST_CURSOR):
        raise wrong_cursor(param)
    return int(value)


def wrong_cursor(param: str) -> InvalidInput:
    """What is told of a cursor that no page has given."""
    return InvalidInput(
        f"{param} must be a cursor of an earlier page; leave it out to begin anew",
        param,
        "invalid_cursor",
    )


def read_lines(
    path: Path, after: int, end: int, limit: int, most_bytes: int, param: str = "after"
) -> list[ResultLine]:
    """Read up to ``limit`` lines between two cursors, about ``most_bytes`` of them, or one.

    Raises:
        InvalidInput: ``after`` is in the middle of a line; ``param`` is its name.
        OSError: the file is not there, or cannot be read.
    """
    with path.open("rb") as file:
        if after:
            file.seek(after - 1)
            if file.read(1) != b"\n":
                raise wrong_cursor(param)
        return _lines(file, after, end, limit, most_bytes)


def _lines(file: BinaryIO, after: int, end: int, limit: int, most_bytes: int) -> list[ResultLine]:
    found: list[ResultLine] = []
    cursor = after
    while len(found) < limit and cursor < end and cursor - after < most_bytes:
        line = file.readline(end - cursor)
        if not line.endswith(b"\n"):  # less is there than is said: by a folder that lags
            break
        cursor += len(line)
        found.append(ResultLine(line[:-1], cursor))
    return found
