"""The lines of an uploaded file as requests, or what is structurally wrong with one. Pure.

A line is ``{"custom_id", "method": "POST", "url", "body"}``, as OpenAI's. What is told here
makes the whole file refused; whether a body is one that its endpoint takes is not asked here.
No message quotes the line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson

from lepton_tasks.bulk.lines import BOM, OVERLONG, not_utf8
from lepton_tasks.bulk.physical import Unreadable
from lepton_tasks.requests import is_storable

MAX_CUSTOM_ID: Final = 512
"""Characters of the longest ``custom_id``."""
MAX_MODEL: Final = 255
"""Characters of the longest name of a model; no model has a longer one."""


@dataclass(frozen=True, slots=True)
class RequestLine:
    """A request of the file. ``number`` counts from 1, as editors do, blank lines too."""

    number: int
    custom_id: str
    body: Mapping[str, Any]

    @property
    def model(self) -> str | None:
        """The model that it names, None where it names none."""
        name = self.body.get("model")
        if isinstance(name, str) and len(name) <= MAX_MODEL and is_storable(name):
            return name
        return None


@dataclass(frozen=True, slots=True)
class LineFault:
    """Why a file is refused; ``line`` is None where it is the file as a whole."""

    code: str
    line: int | None
    message: str
    param: str | None = None

    def dump(self) -> dict[str, Any]:
        """Return it as a member of a batch's ``errors``.

        >>> empty_file().dump()["code"]
        'empty_file'
        """
        return asdict(self)


def read_line(number: int, raw: bytes | None, endpoint: str) -> RequestLine | LineFault | None:
    r"""Read a line of the file of a batch that asks ``endpoint``; None where it is blank.

    ``raw`` is None for a line over the cap, as
    :meth:`lepton_tasks.bulk.physical.InputFile.lines` has it.

    >>> good = {"custom_id": "评-1", "method": "POST", "url": "/v1/moderations"}
    >>> line = orjson.dumps({**good, "body": {"input": "你好"}})
    >>> read_line(1, line, "/v1/moderations")
    RequestLine(number=1, custom_id='评-1', body={'input': '你好'})
    >>> read_line(2, b" \n", "/v1/moderations") is None
    True
    >>> read_line(3, line, "/v1/embeddings")
    LineFault(code='invalid_url', line=3, message='url must be /v1/embeddings, ...', param='url')
    >>> read_line(4, b'{"custom_id": "a"', "/v1/embeddings").code
    'invalid_json_line'
    """
    if raw is None:
        return LineFault(OVERLONG[0], number, OVERLONG[1])
    if number == 1:
        raw = raw.removeprefix(BOM)
    if not raw or raw.isspace():
        return None
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return _not_json(number, raw, error, endpoint)
    if not isinstance(value, dict):
        message = f"a line must be an object such as {_form(endpoint)}"
        return LineFault("invalid_type", number, message)
    return _fault(number, value, endpoint) or RequestLine(number, value["custom_id"], value["body"])


def duplicate(number: int, first: int) -> LineFault:
    """Tell of a line whose ``custom_id`` an earlier line, ``first``, has.

    >>> duplicate(7, 2).message
    'line 2 has the same custom_id; give each line its own'
    """
    message = f"line {first:,} has the same custom_id; give each line its own"
    return LineFault("duplicate_custom_id", number, message, "custom_id")


def unreadable(number: int, error: Unreadable) -> LineFault:
    """Tell of the line where reading ended."""
    return LineFault(error.code, number, str(error))


def too_many(number: int, most: int) -> LineFault:
    """Tell of the first line beyond those that a batch may have.

    >>> too_many(1_001, 1_000).message
    'a batch may have 1,000 lines (LEPTON_BATCH_LINES); make several of the file'
    """
    message = f"a batch may have {most:,} lines (LEPTON_BATCH_LINES); make several of the file"
    return LineFault("too_many_lines", number, message)


def empty_file() -> LineFault:
    """Tell that a file has no requests."""
    return LineFault("empty_file", None, "the file has no lines; put one request on each")


def _fault(number: int, line: Mapping[str, Any], endpoint: str) -> LineFault | None:
    for name in ("custom_id", "method", "url", "body"):
        if line.get(name) is None:
            message = f"the line has no {name}; it must be an object such as {_form(endpoint)}"
            return LineFault("missing_required_parameter", number, message, name)
    custom_id = line["custom_id"]
    if not isinstance(custom_id, str) or not 1 <= len(custom_id) <= MAX_CUSTOM_ID:
        message = f"custom_id must be a string of 1 to {MAX_CUSTOM_ID} characters"
        return LineFault("invalid_custom_id", number, message, "custom_id")
    if line["method"] != "POST":
        return LineFault("invalid_method", number, 'method must be "POST"', "method")
    if line["url"] != endpoint:
        message = f"url must be {endpoint}, the endpoint of the batch"
        return LineFault("invalid_url", number, message, "url")
    if not isinstance(line["body"], dict):
        return LineFault("invalid_type", number, "body must be an object", "body")
    return None


def _form(endpoint: str) -> str:
    return f'{{"custom_id": "1", "method": "POST", "url": "{endpoint}", "body": {{…}}}}'


def _not_json(number: int, raw: bytes, error: orjson.JSONDecodeError, endpoint: str) -> LineFault:
    try:
        raw.decode()
    except UnicodeDecodeError as bad:
        code, message = not_utf8(bad)
        return LineFault(code, number, message)
    message = f"invalid JSON: {error.msg} (character {error.pos + 1})"
    if number == 1:  # perhaps a table, an array or objects over several lines
        message += f"; each line must be a whole object such as {_form(endpoint)}"
    return LineFault("invalid_json_line", number, message)
