"""From a path to the lines in it: which format, which compression, how far."""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from lepton_tasks.bulk.compression import compression_named
from lepton_tasks.bulk.csv_lines import read_csv
from lepton_tasks.bulk.lines import BadLine, Line, read_jsonl
from lepton_tasks.bulk.physical import InputFile, open_input
from lepton_tasks.errors import InvalidInput
from lepton_tasks.managed import Closing
from lepton_tasks.nlp.registry import AnyTask


class Format(StrEnum):
    """How the lines of a file are written, as messages call it."""

    JSONL = "JSON Lines"
    CSV = "CSV"
    TSV = "TSV"
    PARQUET = "Parquet"


_SUFFIXES: Final = {
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSONL,
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".tab": Format.TSV,
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
}
_PARQUET_MAGIC: Final = b"PAR1"


class _File(Protocol):
    """An open file of any format; ``position`` and ``size`` are bytes on disk."""

    size: int

    @property
    def position(self) -> int: ...

    def close(self) -> None: ...


class LineReader(Closing):
    """Reads a file once: every line that is not blank comes out exactly once, in order.

    Reading the same file again gives the same lines, on which resuming rests.
    """

    def __init__(
        self,
        path: Path,
        task: AnyTask,
        text_column: str | None = None,
        id_column: str | None = None,
        corpus: str | None = None,
    ) -> None:
        """Open ``path``; of a table, read the header. ``corpus`` is the one that the options name.

        Raises:
            InvalidInput: the file cannot be opened, its name tells no format, or a column
                is missing. Or it is Parquet and pyarrow is not installed.
        """
        form = Format.PARQUET if holds_parquet(path) else format_of(path, text_column, id_column)
        self._file: _File
        if form is Format.PARQUET:
            self._file, self._lines = _open_parquet(path, task, text_column, id_column, corpus)
            return
        self._file = file = InputFile(path)
        try:
            lines = file.lines()
            self._lines = (
                read_jsonl(lines, task, corpus)
                if form is Format.JSONL
                else read_csv(lines, task, text_column, id_column, corpus, tabs=form is Format.TSV)
            )
        except BaseException:
            file.close()
            raise

    def __iter__(self) -> Iterator[Line | BadLine]:
        return self._lines

    @property
    def position(self) -> int:
        """Bytes on disk that were read so far."""
        return self._file.position

    @property
    def size(self) -> int:
        """Bytes on disk in all."""
        return self._file.size

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def format_of(path: Path, text_column: str | None, id_column: str | None) -> Format:
    """Tell the format by the name without ``.gz`` or ``.zst``; a text column alone means CSV.

    >>> [str(format_of(Path(name), None, None)) for name in ("a.csv.gz", "a.jsonl", "a.parquet")]
    ['CSV', 'JSON Lines', 'Parquet']
    >>> str(format_of(Path("in.txt"), "comment", None))
    'CSV'

    Raises:
        InvalidInput: the name tells none, or a column is named for JSON Lines.
    """
    packed = compression_named(path)
    name = path if packed is None else Path(path.stem)
    form = _SUFFIXES.get(name.suffix.lower())
    if form is Format.JSONL:
        for option, column in (("--text-column", text_column), ("--id-column", id_column)):
            if column is not None:
                raise InvalidInput(
                    f"{option} is for tables; {path} is JSON Lines by its name", option
                )
    if form is Format.PARQUET and packed is not None:
        raise InvalidInput(
            f"{path} is Parquet in {packed.name}; unpack it (Parquet is packed inside)", "FILE"
        )
    if form is None and text_column is None:
        raise InvalidInput(
            f"{path} tells no format by its name; call it .jsonl, .csv or .tsv (maybe with .gz or "
            ".zst) or .parquet, or give --text-column for CSV",
            "FILE",
        )
    return form or Format.CSV


def holds_parquet(path: Path) -> bool:
    """Tell whether the file begins and ends as Parquet does, whatever it is called.

    Raises:
        InvalidInput: it cannot be opened, or is no regular file.
    """
    file, size = open_input(path)
    with file:
        if size < 2 * len(_PARQUET_MAGIC) or file.read(len(_PARQUET_MAGIC)) != _PARQUET_MAGIC:
            return False
        file.seek(-len(_PARQUET_MAGIC), os.SEEK_END)
        return file.read() == _PARQUET_MAGIC


def _open_parquet(
    path: Path, task: AnyTask, text_column: str | None, id_column: str | None, corpus: str | None
) -> tuple[_File, Iterator[Line | BadLine]]:
    try:  # an extra, and slow to import
        from lepton_tasks.bulk.parquet import ParquetRows
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("pyarrow"):
            raise
        raise InvalidInput(
            f"{path} is Parquet, which pyarrow reads; run: pip install 'lepton-tasks[parquet]'",
            "FILE",
        ) from error
    rows = ParquetRows(path, task, text_column, id_column, corpus)
    return rows, iter(rows)
