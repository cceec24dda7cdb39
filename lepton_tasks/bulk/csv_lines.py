"""Records of a CSV file as items of a task, streamed, with the same bounds as JSON Lines.

The splitting into records is the csv module's, which pulls one physical line at a
time from :class:`_Feed`. A record that grows over the cap, is not UTF-8 or does not
parse is given up, and the module starts afresh on the next physical line. So a
quote that is never closed costs the lines up to the cap, and not the rest of the file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Final

from lepton_tasks.bulk.lines import (
    BOM,
    OVERLONG,
    BadLine,
    Line,
    admit,
    id_problem,
    not_utf8,
    unreadable,
)
from lepton_tasks.bulk.physical import MAX_LINE_BYTES, Unreadable
from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.registry import AnyTask

_SHOWN_COLUMNS: Final = 50


def read_csv(
    lines: Iterator[bytes | None], task: AnyTask, text_column: str | None, id_column: str | None
) -> Iterator[Line | BadLine]:
    r"""Read the header at once, the records as they are asked for.

    A record's number is that of its first physical line; the header is line 1.

    >>> from lepton_tasks.nlp.registry import get_task
    >>> rows = iter([b"id,text\r\n", b'7,"good\r\n', b'morning"\r\n', b"8\n"])
    >>> [good, bad] = read_csv(rows, get_task("moderation"), "text", "id")
    >>> good
    Line(number=2, id='7', item='good\r\nmorning')
    >>> bad.number, bad.code, bad.message
    (4, 'wrong_columns', '1 column, the header has 2')

    Raises:
        InvalidInput: there is no readable header, or it lacks a column; the message lists
            those it has. Or the items of ``task`` are more than one text.
    """
    if task.item_model is not None:
        fields = ", ".join(task.item_model.model_fields)
        raise InvalidInput(
            f"an item of {task.name} is an object with {fields}, and a record of a CSV gives one "
            'text; use JSON Lines, {"id": …, "input": {…}} a line',
            "FILE",
        )
    feed = _Feed(lines)
    rows = csv.reader(feed, strict=True)
    header = _header(rows)
    text_at = _place(header, text_column, "--text-column")
    id_at = None if id_column is None else _place(header, id_column, "--id-column")
    return _records(rows, feed, task, len(header), text_at, id_at)


class _RecordProblem(Exception):
    """The record that is being read cannot be one."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Feed:
    """Physical lines as text for the csv module, with a bound on what one record may take."""

    def __init__(self, lines: Iterator[bytes | None]) -> None:
        self._lines = lines
        self.number = 0
        self.first = 1
        self._size = 0

    def begin(self) -> None:
        """Note that the next line begins a record."""
        self.first = self.number + 1
        self._size = 0

    def where(self, problem: str) -> str:
        """Add to a problem which lines it took with it, where it is not one alone."""
        if self.number <= self.first:
            return problem
        return f"{problem} (lines {self.first:,} to {self.number:,})"

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = next(self._lines)
        self.number += 1
        if raw is None:
            raise _RecordProblem(*OVERLONG)
        if self.number == 1:
            raw = raw.removeprefix(BOM)
        self._size += len(raw)
        if self._size > MAX_LINE_BYTES:
            raise _RecordProblem(
                "line_too_long",
                f"the record is longer than {MAX_LINE_BYTES >> 20} MiB; "
                "is a closing quote missing?",
            )
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise _RecordProblem(*not_utf8(error)) from error


def _records(
    rows: Iterator[list[str]],
    feed: _Feed,
    task: AnyTask,
    width: int,
    text_at: int,
    id_at: int | None,
) -> Iterator[Line | BadLine]:
    while True:
        feed.begin()
        try:
            row = next(rows)
        except StopIteration:
            return
        except _RecordProblem as problem:
            yield BadLine(feed.first, None, problem.code, feed.where(str(problem)))
            continue
        except csv.Error as error:
            yield BadLine(feed.first, None, "invalid_csv", feed.where(f"invalid CSV: {error}"))
            continue
        except Unreadable as error:
            yield unreadable(feed.number + 1, error)
            return
        if row:
            yield _record(feed.first, row, task, width, text_at, id_at)


def _record(
    number: int, row: list[str], task: AnyTask, width: int, text_at: int, id_at: int | None
) -> Line | BadLine:
    if len(row) != width:
        columns = "1 column" if len(row) == 1 else f"{len(row):,} columns"
        return BadLine(number, None, "wrong_columns", f"{columns}, the header has {width}")
    line_id = row[id_at] or None if id_at is not None else None
    problem = id_problem(line_id)
    if problem is not None:
        return BadLine(number, None, "invalid_id", problem)
    return admit(number, line_id, row[text_at], task)


def _header(rows: Iterator[list[str]]) -> list[str]:
    try:
        header = next(rows, [])
    except (_RecordProblem, csv.Error, Unreadable) as error:
        raise InvalidInput(f"the first line of the CSV cannot be read: {error}", "FILE") from error
    if not header:
        raise InvalidInput("the CSV's first line is empty; it must name the columns", "FILE")
    return header


def _place(header: list[str], column: str | None, option: str) -> int:
    known = ", ".join(repr(name) for name in header[:_SHOWN_COLUMNS])
    if len(header) > _SHOWN_COLUMNS:
        known += f" and {len(header) - _SHOWN_COLUMNS:,} more"
    if column is None:
        raise InvalidInput(f"give {option}; the columns of the CSV are {known}", option)
    if header.count(column) != 1:
        many = "no" if column not in header else "more than one"
        raise InvalidInput(
            f"{option}: the CSV has {many} column {column!r}; its columns are {known}", option
        )
    return header.index(column)
