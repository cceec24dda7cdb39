"""Records of a CSV file as items of a task, streamed, with the same bounds as JSON Lines.

The splitting into records is the csv module's, which pulls one physical line at a
time from :class:`_Feed`. A record that grows over the cap, is not UTF-8 or does not
parse is given up, and the module starts afresh on the next physical line. So a
quote that is never closed costs the lines up to the cap, and not the rest of the file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

from lepton_tasks.bulk.columns import Columns, find_columns
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


def read_csv(
    lines: Iterator[bytes | None],
    task: AnyTask,
    text_column: str | None,
    id_column: str | None,
    corpus: str | None = None,
    *,
    tabs: bool = False,
) -> Iterator[Line | BadLine]:
    r"""Read the header at once, the records as they are asked for.

    A record's number is that of its first physical line; the header is line 1. ``corpus`` is
    the one that the options name; ``tabs`` tells that tabs part the cells (TSV).

    >>> from lepton_tasks.nlp.registry import get_task
    >>> rows = iter([b"id,text\r\n", b'7,"good\r\n', b'morning"\r\n', b"8\n"])
    >>> [good, bad] = read_csv(rows, get_task("moderation"), "text", "id")
    >>> good
    Line(number=2, id='7', item='good\r\nmorning')
    >>> bad.number, bad.code, bad.message
    (4, 'wrong_columns', '1 column, the header has 2')

    Raises:
        InvalidInput: there is no readable header, or it lacks a column; the message lists
            those it has. Or the items of ``task`` do not fit into cells.
    """
    feed = _Feed(lines)
    rows = csv.reader(feed, delimiter="\t" if tabs else ",", strict=True)
    table = "TSV" if tabs else "CSV"
    header = _header(rows, table)
    columns = find_columns(header, task, text_column, id_column, table)
    return _records(rows, feed, _RecordReader(task, header, columns, corpus))


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


class _RecordReader:
    """Makes of one record the line that it is."""

    def __init__(
        self, task: AnyTask, header: list[str], columns: Columns, corpus: str | None
    ) -> None:
        self._task = task
        self._width = len(header)
        self._columns = columns
        self._places = [header.index(name) for name in columns.names]
        self._corpus = corpus

    def read(self, number: int, row: list[str]) -> Line | BadLine:
        """Take ``row``, which began at the line ``number``."""
        if len(row) != self._width:
            columns = "1 column" if len(row) == 1 else f"{len(row):,} columns"
            message = f"{columns}, the header has {self._width}"
            return BadLine(number, None, "wrong_columns", message)
        item, line_id = self._columns.split([row[place] for place in self._places])
        problem = id_problem(line_id)
        if problem is not None:
            return BadLine(number, None, "invalid_id", problem)
        return admit(number, line_id or None, item, self._task, self._corpus)


def _records(
    rows: Iterator[list[str]], feed: _Feed, reader: _RecordReader
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
            yield reader.read(feed.first, row)


def _header(rows: Iterator[list[str]], table: str) -> list[str]:
    try:
        header = next(rows, [])
    except (_RecordProblem, csv.Error, Unreadable) as error:
        raise InvalidInput(
            f"the first line of the {table} cannot be read: {error}", "FILE"
        ) from error
    if not header:
        raise InvalidInput(f"the {table}'s first line is empty; it must name the columns", "FILE")
    return header
