"""The lines of an input file as items of a task: each one good, or bad with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple

import orjson

from lepton_tasks.bulk.physical import MAX_LINE_BYTES, Unreadable
from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.admission import admit_item
from lepton_tasks.nlp.base import characters_of
from lepton_tasks.nlp.registry import AnyTask

MAX_ID_LENGTH: Final = 512
BOM: Final = b"\xef\xbb\xbf"
OVERLONG: Final = ("line_too_long", f"the line is longer than {MAX_LINE_BYTES >> 20} MiB")
"""Code and message for a line over the cap."""

LineId = str | int | None


class Problem(NamedTuple):
    """Why a line has no output."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line that the task can take. ``number`` counts from 1, as editors do."""

    number: int
    id: LineId
    item: Any

    work: ClassVar[None] = None
    problem: ClassVar[None] = None
    reply: ClassVar[None] = None
    final: ClassVar[bool] = False

    @property
    def items(self) -> tuple[Any, ...]:
        """What it asks the task for: one item."""
        return (self.item,)

    @property
    def size(self) -> int:
        """Characters of the item."""
        return characters_of(self.item)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that the task cannot take. ``final`` tells that nothing after it could be read."""

    number: int
    id: LineId
    code: str
    message: str
    final: bool = False

    work: ClassVar[None] = None
    items: ClassVar[tuple[()]] = ()
    size: ClassVar[int] = 0
    reply: ClassVar[None] = None

    @property
    def problem(self) -> Problem:
        """What is wrong with it."""
        return Problem(self.code, self.message)


def read_jsonl(
    lines: Iterable[bytes | None], task: AnyTask, corpus: str | None = None
) -> Iterator[Line | BadLine]:
    r"""Read JSON Lines: a string, or an object with ``text`` and maybe ``id``, a line.

    Of a task whose items are objects a line has ``input`` in the place of ``text``. Other
    keys mean nothing here. Blank lines are counted and passed over. ``corpus`` is the one
    that the options name.

    >>> from lepton_tasks.nlp.registry import get_task
    >>> rows = ['"你好"\n'.encode(), b"\n", b'{"id": "n-2", "text": "a fine day"}', b"7"]
    >>> *good, bad = read_jsonl(rows, get_task("moderation"))
    >>> good
    [Line(number=1, id=None, item='你好'), Line(number=3, id='n-2', item='a fine day')]
    >>> bad.number, bad.code
    (4, 'invalid_type')
    """
    number = 0
    try:
        for number, raw in enumerate(lines, 1):
            if raw is None:
                yield BadLine(number, None, *OVERLONG)
            elif not raw.isspace():
                yield _parse(number, raw.removeprefix(BOM) if number == 1 else raw, task, corpus)
    except Unreadable as error:
        yield unreadable(number + 1, error)


def unreadable(number: int, error: Unreadable) -> BadLine:
    """What becomes of the line where reading ended; it is the last."""
    return BadLine(number, None, error.code, f"line {number:,}: {error}", final=True)


def item_key(task: AnyTask) -> str:
    """Return the key under which a line's object holds the item."""
    return "text" if task.item_model is None else "input"


def admit(
    number: int, line_id: LineId, value: object, task: AnyTask, corpus: str | None = None
) -> Line | BadLine:
    """Check one item as every other way into the system does."""
    try:
        return Line(number, line_id, admit_item(value, task, item_key(task), corpus))
    except InvalidInput as error:
        return BadLine(number, line_id, error.code, str(error))


def _parse(number: int, raw: bytes, task: AnyTask, corpus: str | None) -> Line | BadLine:
    if not raw or raw.isspace():
        return BadLine(number, None, "empty_text", "the line holds a byte order mark alone")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return _not_json(number, raw, error)
    if isinstance(value, str) and task.item_model is None:
        return admit(number, None, value, task)
    if not isinstance(value, dict):
        return BadLine(number, None, "invalid_type", f"a line must be {_line_form(task)}")
    line_id = value.get("id")
    problem = id_problem(line_id)
    if problem is not None:
        return BadLine(number, None, "invalid_id", problem)
    key = item_key(task)
    if key not in value:
        return BadLine(number, line_id, f"missing_{key}", f'the object has no "{key}"')
    return admit(number, line_id, value[key], task, corpus)


def _line_form(task: AnyTask) -> str:
    if task.item_model is None:
        return 'a JSON string, or an object such as {"id": "1", "text": "…"}'
    fields = ", ".join(f'"{name}": …' for name in task.item_model.model_fields)
    return f'an object such as {{"id": "1", "input": {{{fields}}}}}'


def id_problem(line_id: object) -> str | None:
    """Say what is wrong with an id, None where nothing is.

    >>> id_problem("n-7"), id_problem(7), id_problem(None)
    (None, None, None)
    >>> id_problem(7.5), id_problem(True)
    ('id must be a string or a whole number', 'id must be a string or a whole number')
    """
    if line_id is not None and type(line_id) not in (str, int):
        return "id must be a string or a whole number"
    if isinstance(line_id, str) and len(line_id) > MAX_ID_LENGTH:
        return f"id has more than {MAX_ID_LENGTH} characters"
    return None


def _not_json(number: int, raw: bytes, error: orjson.JSONDecodeError) -> BadLine:
    try:
        raw.decode()
    except UnicodeDecodeError as bad:
        return BadLine(number, None, *not_utf8(bad))
    return BadLine(
        number, None, "invalid_json", f"invalid JSON: {error.msg} (character {error.pos + 1})"
    )


def not_utf8(error: UnicodeDecodeError) -> tuple[str, str]:
    """Code and message for a line that is not UTF-8."""
    message = f"invalid UTF-8 at byte {error.start + 1} of the line; save the file as UTF-8"
    return "invalid_utf8", message
