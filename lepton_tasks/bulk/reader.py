"""From a path to the lines in it: which format, which compression, how far."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lepton_tasks.bulk.compression import compression_named
from lepton_tasks.bulk.csv_lines import read_csv
from lepton_tasks.bulk.lines import BadLine, Line, read_jsonl
from lepton_tasks.bulk.physical import InputFile
from lepton_tasks.errors import InvalidInput
from lepton_tasks.managed import Closing
from lepton_tasks.nlp.registry import AnyTask

_JSONL: Final = frozenset({".jsonl", ".ndjson", ".json"})


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
        """Open ``path``; for CSV, read its header. ``corpus`` is the one that the options name.

        Raises:
            InvalidInput: the file cannot be opened, its name tells no format, or a column
                is missing.
        """
        csv = is_csv(path, text_column, id_column)
        self._file = InputFile(path)
        try:
            lines = self._file.lines()
            self._lines = (
                read_csv(lines, task, text_column, id_column)
                if csv
                else read_jsonl(lines, task, corpus)
            )
        except BaseException:
            self._file.close()
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


def is_csv(path: Path, text_column: str | None, id_column: str | None) -> bool:
    """Tell CSV from JSON Lines by the name without ``.gz`` or ``.zst``; a text column means CSV.

    >>> is_csv(Path("in.csv.gz"), None, None), is_csv(Path("in.jsonl"), None, None)
    (True, False)
    >>> is_csv(Path("in.txt"), "comment", None)
    True

    Raises:
        InvalidInput: the name tells neither, or a column is named for JSON Lines.
    """
    name = path if compression_named(path) is None else Path(path.stem)
    suffix = name.suffix.lower()
    if suffix in _JSONL:
        for option, column in (("--text-column", text_column), ("--id-column", id_column)):
            if column is not None:
                raise InvalidInput(f"{option} is for CSV; {path} is JSON Lines by its name", option)
        return False
    if suffix == ".csv" or text_column is not None:
        return True
    raise InvalidInput(
        f"{path} tells no format by its name; call it .jsonl or .csv (maybe with .gz or .zst), "
        "or give --text-column for CSV",
        "FILE",
    )
