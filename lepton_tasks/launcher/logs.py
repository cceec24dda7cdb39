"""Log files of child processes: open, rotate, show the end."""

from __future__ import annotations

import os
from pathlib import Path

MAX_BYTES = 10 * 1024 * 1024
"""A log larger than this is moved aside to ``<name>.log.1`` when its child starts."""


def open_log(path: Path, max_bytes: int = MAX_BYTES) -> int:
    """Open ``path`` for appending, readable by its owner alone; return the descriptor.

    Makes the folder when it is missing. A file over ``max_bytes`` becomes
    ``<name>.1``, replacing the one before. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > max_bytes:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def tail(path: Path, start: int = 0, lines: int = 20, max_bytes: int = 4096) -> str:
    """Return the last ``lines`` lines of ``path`` written from byte ``start`` on.

    Reads at most ``max_bytes``; a line cut by that limit is left out unless it
    is the only one. Bytes that are not UTF-8 are replaced.
    """
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        begin = max(start, end - max_bytes)
        file.seek(begin)
        found = file.read(max_bytes).decode("utf-8", errors="replace").splitlines()
    if begin > start and len(found) > 1:
        found = found[1:]
    return "\n".join(found[-lines:])
