"""The bytes of a file as an answer: streamed, in part where a client asks for a part."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.disk import Disk
from api.errors import ApiError
from lepton_tasks.errors import StorageUnavailable
from lepton_tasks.files.faults import translated
from lepton_tasks.store.files import File

_BLOCK: Final = 1 << 18
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.IGNORECASE)


class Content(StreamingResponse):
    """Bytes of a file. It lets go of it however the answer ends."""

    def __init__(self, content: BinaryIO, file: File, disk: Disk, part: range | None) -> None:
        """``part`` is which of its bytes; None for all."""
        self._content = content
        self._disk = disk
        self._part = range(file.size) if part is None else part
        headers = {
            "content-length": str(len(self._part)),
            "content-disposition": f"attachment; filename*=utf-8''{quote(file.filename, safe='')}",
            "accept-ranges": "bytes",
            "etag": etag(file),
            "cache-control": "private, no-store",
            # It is a user's: no browser shall guess what it is, or run what it holds.
            "x-content-type-options": "nosniff",
            "content-security-policy": "sandbox; default-src 'none'",
        }
        if part is not None:
            headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{file.size}"
        super().__init__(
            self._blocks(),
            200 if part is None else 206,
            headers=headers,
            media_type="application/octet-stream",
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._content.close()

    async def _blocks(self) -> AsyncIterator[bytes]:
        place, end = self._part.start, self._part.stop
        while place < end:
            block = await self._disk.run(
                os.pread, self._content.fileno(), min(_BLOCK, end - place), place
            )
            if not block:
                raise StorageUnavailable("a file is shorter than its row says")
            place += len(block)
            yield block


def open_content(path: Path, size: int) -> BinaryIO:
    """Open the content of a file that has a row.

    Raises:
        StorageUnavailable: it is not there or not whole, or cannot be read.
    """
    with translated():
        content = path.open("rb", buffering=0)
    if os.fstat(content.fileno()).st_size != size:
        content.close()
        raise StorageUnavailable(f"{path} is not of the size that its row says")
    return content


def etag(file: File) -> str:
    """A file never changes, so its id is its version."""
    return f'"{file.id}"'


def part_asked_for(value: str | None, size: int) -> range | None:
    """Which bytes a ``Range`` header asks for; None for all of them.

    One that is not understood, or asks for several parts, is ignored, as HTTP allows.

    >>> part_asked_for("bytes=2-4", 10), part_asked_for("bytes=-3", 10), part_asked_for(None, 10)
    (range(2, 5), range(7, 10), None)
    >>> part_asked_for("bytes=0-99", 10), part_asked_for("lines=1-2", 10)
    (range(0, 10), None)

    Raises:
        ApiError: 416, there are no such bytes.
    """
    found = _RANGE.fullmatch(value.replace(" ", "")) if value else None
    if found is None:
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if not first:
        part = range(max(0, size - int(last)), size)
    elif last and int(last) < int(first):
        return None
    else:
        part = range(int(first), min(size, int(last) + 1) if last else size)
    if not part:
        raise ApiError(
            416,
            "range_not_satisfiable",
            f"the file has {size:,} bytes",
            headers={"content-range": f"bytes */{size}"},
        )
    return part
