"""Rows of a Parquet file as items of a task, streamed a few at a time.

Imports pyarrow, an extra of its own, and is imported only to read such a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from lepton_tasks.bulk.columns import find_columns
from lepton_tasks.bulk.errors import RunStopped
from lepton_tasks.bulk.lines import BadLine, Line, admit, id_problem, unreadable
from lepton_tasks.bulk.physical import Unreadable, open_input
from lepton_tasks.errors import InvalidInput
from lepton_tasks.managed import Closing
from lepton_tasks.nlp.registry import AnyTask

_ROWS: Final = 128
"""Rows that are held at a time; more cost memory with long texts and save no time."""
_PAGE_BYTES: Final = 1 << 16
_FAULTS: Final = (pa.ArrowException, OSError, EOFError, UnicodeDecodeError)
"""What pyarrow raises where a file is damaged."""
_INVALID_UTF8: Final = ("invalid_utf8", "a value of the row is not UTF-8; write the file anew")
_AS_TEXT: Final = {pa.binary(): pa.string(), pa.large_binary(): pa.large_string()}
"""What bytes are read as: writers that mark no text, such as old Hive, write it so."""
_TEXTS: Final = frozenset({pa.string(), pa.large_string(), pa.string_view(), *_AS_TEXT})


class ParquetRows(Closing):
    """Reads a file once: every row comes out exactly once, in order, numbered from 1."""

    def __init__(
        self,
        path: Path,
        task: AnyTask,
        text_column: str | None,
        id_column: str | None,
        corpus: str | None = None,
    ) -> None:
        """Open ``path`` and look at its columns. ``corpus`` is the one that the options name.

        Raises:
            InvalidInput: it cannot be opened, is not whole, or a column is missing or holds
                no texts.
        """
        self._path = path
        self._task = task
        self._corpus = corpus
        self._file, self.size = open_input(path)
        try:
            self._table = pq.ParquetFile(
                self._file,
                buffer_size=_PAGE_BYTES,
                pre_buffer=False,
                page_checksum_verification=True,
            )
            schema = self._table.schema_arrow
            self._columns = find_columns(
                schema.names, task, text_column, id_column, "Parquet file", plain=False
            )
            if text_column is not None:
                _require_text(schema, text_column)
            if id_column is not None:
                _require_id(schema, id_column)
            self._batches = self._table.iter_batches(
                _ROWS, columns=list(self._columns.names), use_threads=False
            )
        except _FAULTS as error:
            self._file.close()
            raise InvalidInput(
                f"{path} is no whole Parquet file: {_says(error)}", "FILE"
            ) from error
        except InvalidInput:
            self._file.close()
            raise
        self._number = 0

    @property
    def position(self) -> int:
        """Bytes out of :attr:`size` that the rows read so far may be thought to take."""
        rows = self._table.metadata.num_rows
        return self.size * self._number // rows if rows else self.size

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __iter__(self) -> Iterator[Line | BadLine]:
        """Yield every row.

        Raises:
            RunStopped: the disk failed.
        """
        try:
            for values in self._rows():
                self._number += 1
                yield self._line(values)
        except Unreadable as error:
            yield unreadable(self._number + 1, error)

    def _rows(self) -> Iterator[Sequence[Any] | None]:
        """Yield the values of each row; None for one that is not UTF-8."""
        while True:
            try:
                batch = next(self._batches, None)
            except _FAULTS as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise RunStopped(
                        f"cannot read {self._path} to its end: {error.strerror}"
                    ) from error
                raise Unreadable(
                    "broken_parquet", f"the Parquet file is damaged ({_says(error)})"
                ) from error
            if batch is None:
                return
            yield from _values([_as_text(batch.column(name)) for name in self._columns.names])

    def _line(self, values: Sequence[Any] | None) -> Line | BadLine:
        if values is None:
            return BadLine(self._number, None, *_INVALID_UTF8)
        item, line_id = self._columns.split(values)
        problem = id_problem(line_id)
        if problem is not None:
            return BadLine(self._number, None, "invalid_id", problem)
        return admit(self._number, line_id, without_nulls(item), self._task, self._corpus)


def without_nulls(value: Any) -> Any:
    """Leave out the fields of objects that hold nothing: each object of a column has them all.

    >>> without_nulls({"messages": [{"role": "user", "name": None}]})
    {'messages': [{'role': 'user'}]}
    """
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [without_nulls(one) for one in value]
    return value


def _values(columns: list[pa.Array]) -> Iterator[Sequence[Any] | None]:
    try:
        lists = [column.to_pylist() for column in columns]
    except UnicodeDecodeError:
        yield from (_row(columns, number) for number in range(len(columns[0])))
    else:
        yield from zip(*lists, strict=True)


def _row(columns: list[pa.Array], number: int) -> Sequence[Any] | None:
    try:
        return [column[number].as_py() for column in columns]
    except UnicodeDecodeError:
        return None


def _as_text(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = _AS_TEXT.get(column.type)
    return column if kind is None else column.view(kind)


def _require_text(schema: pa.Schema, column: str) -> None:
    kind = schema.field(column).type
    if not _is_text(kind):
        raise InvalidInput(
            f"--text-column: {column!r} of the Parquet file holds {kind}, not texts",
            "--text-column",
        )


def _require_id(schema: pa.Schema, column: str) -> None:
    kind = schema.field(column).type
    if not (_is_text(kind) or pa.types.is_integer(kind)):
        raise InvalidInput(
            f"--id-column: {column!r} of the Parquet file holds {kind}; an id is a text or a "
            "whole number",
            "--id-column",
        )


def _is_text(kind: pa.DataType) -> bool:
    return (kind.value_type if pa.types.is_dictionary(kind) else kind) in _TEXTS


def _says(error: Exception) -> str:
    """Say in one line what pyarrow says; it names places and kinds, no values."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
