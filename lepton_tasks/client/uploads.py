"""Large files in parts, so that a link that breaks costs a part and not the file."""

from __future__ import annotations

import hashlib
import io
import os
from typing import IO, Any, Final

from lepton_tasks.client.calling import Caller, with_key
from lepton_tasks.client.effects import Steps
from lepton_tasks.client.errors import ClientError
from lepton_tasks.client.messages import FilePart, Request

PATH: Final = "/v1/uploads"
PART_BYTES: Final = 32 << 20
"""Size of a part; the server takes twice as many at most."""
MOST_PARTS: Final = 1_000
_BLOCK: Final = 1 << 20
_TYPE: Final = "application/octet-stream"
_STORE_SECONDS: Final = 60.0
_TOGETHER_SECONDS: Final = 600.0
"""How long the server may take to put the parts together."""
_GIVE_UP_SECONDS: Final = 5.0


class Section(io.RawIOBase):
    """``size`` bytes of an open file from ``start`` on, as a file of their own.

    >>> section = Section(io.BytesIO(b"0123456789"), 3, 4)
    >>> section.read(), section.seek(1), section.read(2)
    (b'3456', 1, b'45')
    """

    def __init__(self, content: IO[bytes], start: int, size: int) -> None:
        super().__init__()
        self._content = content
        self._start = start
        self._size = size
        self._place = 0

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read again."""
        return True

    def tell(self) -> int:
        """Where it is read next."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Read next from ``offset`` on, counted from the beginning, the place or the end."""
        self._place = offset + (0, self._place, self._size)[whence]
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Read up to as much as ``buffer`` takes."""
        wanted = max(0, min(len(buffer), self._size - self._place))
        self._content.seek(self._start + self._place)
        piece = self._content.read(wanted)
        buffer[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)


def size_of(content: IO[bytes]) -> int:
    """Bytes of a file that can be read from any place."""
    return content.seek(0, os.SEEK_END)


def part_size(size: int) -> int:
    """Bytes of each part of a file but the last.

    >>> part_size(100) == PART_BYTES, part_size(MOST_PARTS * PART_BYTES + 1) > PART_BYTES
    (True, True)
    """
    return max(PART_BYTES, -(-size // MOST_PARTS))


class UploadSteps:
    """Uploads in parts."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def upload(
        self, part: FilePart, size: int, purpose: str, expires_seconds: int | None
    ) -> Steps[Any]:
        """Upload a file of ``size`` bytes; ends with what the server tells of it.

        What came of it is checked by its MD5. Parts of an upload that fails are deleted.
        """
        body: dict[str, Any] = {
            "filename": part.name,
            "purpose": purpose,
            "bytes": size,
            "mime_type": _TYPE,
        }
        if expires_seconds is not None:
            body["expires_after"] = {"anchor": "created_at", "seconds": expires_seconds}
        made = yield from self._caller.json(with_key(Request("POST", PATH, json=body)))
        path = f"{PATH}/{made['id']}"
        try:
            return (yield from self._parts(path, part, size))
        except BaseException:
            yield from self._give_up(path)
            raise

    def _parts(self, path: str, part: FilePart, size: int) -> Steps[Any]:
        digest = hashlib.md5(usedforsecurity=False)
        part_ids: list[str] = []
        step = part_size(size)
        for start in range(0, size, step):
            section = io.BufferedReader(Section(part.content, start, min(step, size - start)))
            while block := section.read(_BLOCK):
                digest.update(block)
            request = Request(
                "POST",
                f"{path}/parts",
                file=FilePart(part.name, section, field="data"),
                patience=_STORE_SECONDS,
            )
            part_ids.append((yield from self._caller.json(with_key(request)))["id"])
        done = {"part_ids": part_ids, "md5": digest.hexdigest()}
        request = Request("POST", f"{path}/complete", json=done, patience=_TOGETHER_SECONDS)
        return (yield from self._caller.json(request))["file"]

    def _give_up(self, path: str) -> Steps[None]:
        """Delete the parts of an upload, if that can be done; the server does so in an hour."""
        try:
            yield from self._caller.json(
                Request("POST", f"{path}/cancel", json={}, most=_GIVE_UP_SECONDS), retries=0
            )
        except (ClientError, RuntimeError):
            return
