"""Files on the server: uploaded, listed, downloaded over links that break, deleted."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import IO, Any, Final

from lepton_tasks.client.calling import Caller, with_key
from lepton_tasks.client.effects import Close, Emit, Steps, read, refined
from lepton_tasks.client.errors import UnexpectedAnswer
from lepton_tasks.client.messages import FilePart, Request, parsed
from lepton_tasks.client.uploads import UploadSteps, size_of
from lepton_tasks.client.views import FileObject, read_view
from lepton_tasks.client.whole_lines import WholeLines

PATH: Final = "/v1/files"
PAGE: Final = 1_000
LARGE_BYTES: Final = 64 << 20
"""A file of more is uploaded in parts."""
_NOTHING_THERE: Final = 416
_STORE_SECONDS: Final = 60.0
"""How long the server may take to make an uploaded file durable."""

Source = str | PathLike[str] | bytes | IO[bytes]
"""A path, the content, or an open binary file."""


@contextmanager
def opened(source: Source, filename: str | None) -> Iterator[FilePart]:
    """A file to upload, which can be read again from its beginning; nothing is held in memory."""
    if isinstance(source, bytes):
        yield FilePart(filename or "file", BytesIO(source))
    elif isinstance(source, str | PathLike):
        path = Path(source)
        with path.open("rb") as content:
            yield FilePart(filename or path.name, content)
    elif source.seekable():
        yield FilePart(filename or _name_of(source), source)
    else:
        with tempfile.TemporaryFile() as content:
            shutil.copyfileobj(source, content)
            content.flush()
            yield FilePart(filename or _name_of(source), content)


def _name_of(content: IO[bytes]) -> str:
    name = getattr(content, "name", None)
    return Path(name).name if isinstance(name, str) else "file"


class Lines:
    r"""Makes the JSON of lines of pieces of any size.

    >>> lines = Lines()
    >>> [*lines.feed(b'{"a":1}\n{"b"'), *lines.feed(b":2}\n3"), *lines.end()]
    [{'a': 1}, {'b': 2}, 3]
    """

    def __init__(self) -> None:
        self._lines = WholeLines()

    def feed(self, piece: bytes) -> Iterator[Any]:
        """Yield the lines that are whole with this piece."""
        yield from (parsed(line) for line in self._lines.feed(piece) if line.strip())

    def end(self) -> Iterator[Any]:
        """Yield the last line where nothing ends it."""
        if (rest := self._lines.rest).strip():
            yield parsed(rest)


class FileSteps:
    """Operations on files."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._uploads = UploadSteps(caller)

    def upload(
        self, part: FilePart, purpose: str, expires_seconds: int | None = None
    ) -> Steps[FileObject]:
        """Upload a file from its beginning; a large one in parts."""
        size = size_of(part.content)
        if size > LARGE_BYTES:
            made = yield from self._uploads.upload(part, size, purpose, expires_seconds)
            return read_view(FileObject, made)
        form = {"purpose": purpose}
        if expires_seconds is not None:
            form["expires_after[anchor]"] = "created_at"
            form["expires_after[seconds]"] = str(expires_seconds)
        request = Request("POST", PATH, form=form, file=part, patience=_STORE_SECONDS)
        return read_view(FileObject, (yield from self._caller.json(with_key(request))))

    def get(self, file_id: str) -> Steps[FileObject]:
        """Read what is known of a file."""
        found = yield from self._caller.json(Request("GET", f"{PATH}/{file_id}"))
        return read_view(FileObject, found)

    def listed(self, params: Mapping[str, Any]) -> Steps[None]:
        """Emit files, newest first."""
        yield from self._caller.pages(
            PATH, {"limit": PAGE, **params}, partial(read_view, FileObject)
        )

    def delete(self, file_id: str) -> Steps[None]:
        """Delete a file."""
        yield from self._caller.json(Request("DELETE", f"{PATH}/{file_id}"))

    def content(self, file_id: str) -> Steps[None]:
        """Emit the bytes of a file in pieces; where the link breaks, go on behind the last one.

        Raises:
            NoConnection: it broke again and again, and nothing came in between.
        """
        path = f"{PATH}/{file_id}/content"
        done = 0
        attempt = 1
        while True:
            asked = {"range": f"bytes={done}-"} if done else {}
            request = Request("GET", path, headers={"accept": "*/*", **asked})
            try:
                stream = yield from self._caller.open(request)
            except UnexpectedAnswer as error:
                if done and error.status == _NOTHING_THERE:  # the link broke behind the last byte
                    return
                raise
            skip = done if stream.head.status == 200 else 0  # a server that knows no ranges
            try:
                while isinstance(piece := (yield from read(stream)), bytes):
                    fresh, skip = piece[skip:], max(0, skip - len(piece))
                    if fresh:
                        done += len(fresh)
                        attempt = 1
                        yield Emit(fresh)
            finally:
                yield Close(stream)
            if piece is None:
                return
            attempt += 1
            yield from self._caller.before_next(request, piece, attempt, None)

    def lines(self, file_id: str) -> Steps[None]:
        """Emit the JSON of each line of a file."""
        lines = Lines()
        yield from refined(self.content(file_id), lines.feed)
        for line in lines.end():
            yield Emit(line)
