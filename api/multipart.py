"""Bodies of ``multipart/form-data`` with one file, read as they come; nothing is held of it."""

from __future__ import annotations

from collections.abc import Callable
from email.message import Message
from typing import Final, Protocol

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from starlette.requests import Request

from api.body import chunks, declared_size
from api.errors import ApiError
from lepton_tasks.errors import InvalidInput

OVERHEAD_BYTES: Final = 1 << 20
"""Most bytes of a body that are not the file's."""
_MOST_FIELDS: Final = 16
_FIELD_BYTES: Final = 4_096
_HEADER_BYTES: Final = 8_192


class Sink(Protocol):
    """Takes the file's bytes."""

    async def write(self, data: bytes) -> None:
        """Take the next of them."""
        ...


class Form:
    """What a body said: its fields by name, and the name of the file, None where there was none."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.filename: str | None = None


async def read_form(
    request: Request,
    file_field: str,
    sink: Sink,
    most_bytes: int,
    too_large: str,
    check: Callable[[str, str], object] = lambda name, value: None,
) -> Form:
    """Read a body to its end; the part ``file_field`` goes to ``sink``.

    ``too_large`` tells of the bound where the file has more than ``most_bytes``, which is found
    at the first byte too many. ``check`` judges a field as soon as it is there, before what
    follows has been read.

    Raises:
        InvalidInput: the body is no form, is cut short, or has parts that it may not have; or
            what ``check`` raises.
        ApiError: 413 the file is too large, 408 the rest does not come.
        ClientDisconnect: the client is gone.
    """
    reader = _Reader(_boundary(request), file_field, check)
    if (declared_size(request) or 0) > most_bytes + OVERHEAD_BYTES:
        raise file_too_large(too_large, file_field)
    taken = read = 0
    async for chunk in chunks(request):
        read += len(chunk)
        for piece in reader.feed(chunk):
            taken += len(piece)
            if taken > most_bytes:
                raise file_too_large(too_large, file_field)
            await sink.write(piece)
        if read - taken > OVERHEAD_BYTES:
            raise _wrong("the body has more than 1 MiB beside the file")
    reader.finish()
    return reader.form


class _Reader:
    """Turns chunks of a body into the file's bytes; all else it keeps, for it is little."""

    def __init__(self, boundary: str, file_field: str, check: Callable[[str, str], object]) -> None:
        self.form = Form()
        self._file_field = file_field
        self._check = check
        self._pieces: list[bytes] = []
        self._header = (bytearray(), bytearray())
        self._headers: dict[str, str] = {}
        self._name = ""
        self._value: bytearray | None = None
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._header[0].extend(
                        data[start:end]
                    ),
                    "on_header_value": lambda data, start, end: self._header[1].extend(
                        data[start:end]
                    ),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._head,
                    "on_part_data": self._data,
                    "on_part_end": self._end,
                    "on_end": self._finish,
                },
                max_header_size=_HEADER_BYTES,
            )
        except FormParserError as error:
            raise _wrong(f"the boundary cannot be used: {error}") from error

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take a chunk; returns what of it is the file's."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _wrong("the body is not well-formed multipart/form-data") from error
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> None:
        """Note that no more comes."""
        if not self._ended:
            raise InvalidInput(
                "the body ends before its last boundary; nothing was kept, send it again",
                self._file_field,
                "truncated_body",
            )

    def _begin(self) -> None:
        self._headers = {}

    def _end_header(self) -> None:
        name, value = (bytes(part) for part in self._header)
        self._headers[name.decode("latin-1").lower()] = value.decode(errors="replace")
        self._header = (bytearray(), bytearray())

    def _head(self) -> None:
        message = Message()
        message["content-disposition"] = self._headers.get("content-disposition", "")
        try:
            name = message.get_param("name", header="content-disposition")
            filename = message.get_filename()
        except ValueError as error:  # a number or an encoding that cannot be one
            raise _wrong("the content-disposition of a part cannot be read") from error
        if not isinstance(name, str) or not name:
            raise _wrong("a part of the body has no name")
        self._name, self._value = name, bytearray()
        if name == self._file_field:
            if filename is None:
                raise InvalidInput(f"{name} must be a file, with its filename", name, "no_file")
            if self.form.filename is not None:
                raise InvalidInput(f"{name} is there twice; send one file", name, "several_files")
            # Browsers, and what does as they do, write a quotation mark in this way.
            self.form.filename, self._value = filename.replace("%22", '"'), None
        elif filename is not None:
            raise InvalidInput(
                f"{name[:80]} is a file; the file goes into {self._file_field}",
                name[:80],
                "unknown_field",
            )
        elif name in self.form.fields or len(self.form.fields) >= _MOST_FIELDS:
            raise InvalidInput(f"{name[:80]} is a field too many", name[:80], "duplicate_field")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._value is None:
            self._pieces.append(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > _FIELD_BYTES:
            raise InvalidInput(
                f"{self._name[:80]} is longer than {_FIELD_BYTES:,} bytes",
                self._name[:80],
                "field_too_long",
            )

    def _end(self) -> None:
        if self._value is not None:
            value = self._value.decode(errors="replace")
            self.form.fields[self._name] = value
            self._check(self._name, value)

    def _finish(self) -> None:
        self._ended = True


def _boundary(request: Request) -> str:
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    try:
        boundary = message.get_param("boundary")
    except ValueError:
        boundary = None
    if message.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise _wrong("send the file as multipart/form-data, with its boundary in content-type")
    return boundary


def file_too_large(message: str, param: str) -> ApiError:
    """What is answered to a file that is larger than it may be."""
    return ApiError(413, "file_too_large", message, param, headers={"connection": "close"})


def _wrong(message: str) -> InvalidInput:
    return InvalidInput(message, code="invalid_multipart")
