"""The labelled rows of a training: read and checked line by line, and split in two."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from lepton_tasks.labelled import LabelCounts, LabelledRow, read_row
from lepton_tasks.nlp.clean import clean_text
from lepton_tasks.nlp.language import detect_language
from workers.longruns.child import RunFailed

MOST_FILE_ROWS: Final = 200_000
_MOST_LINE_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """A cleaned text with its language and label."""

    text: str
    language: str
    label: str


@dataclass(frozen=True, slots=True)
class Split:
    """Rows to train on and rows to measure with; no text is in both."""

    train: Sequence[Row]
    held_out: Sequence[Row]

    @property
    def labels(self) -> list[str]:
        """All labels, sorted."""
        return sorted({row.label for row in (*self.train, *self.held_out)})

    def digest(self) -> str:
        """Hash of all rows and of which side they are on."""
        digest = hashlib.sha256()
        for part in (self.train, self.held_out):
            for row in part:
                digest.update(orjson.dumps([row.text, row.language, row.label]))
            digest.update(b"|")
        return digest.hexdigest()


def read_rows(item: Mapping[str, Any], data: Path | None, language: str | None) -> list[Row]:
    """The rows of a job's item, texts cleaned; of rows with the same text the first counts.

    ``data`` is the folder that files are in. ``language`` is that of all rows, else it is
    found out from each.

    Raises:
        RunFailed: a row is wrong or too much is missing; the message names line and field.
    """
    named = item.get("file")
    if named is None:
        if item.get("rows") is None:
            raise RunFailed("wrong_rows", "a classifier learns from rows or a file")
        found: Iterable[LabelledRow] = map(LabelledRow.model_validate, item["rows"])
    else:
        found = _lines_of(find_file(data, named), named)
    rows: dict[str, Row] = {}
    for one in found:
        text = clean_text(one.text)
        if text:
            rows.setdefault(text, Row(text, language or detect_language(text), one.label))
    counts = LabelCounts("rows, each text counted once", lambda place: f"row {place + 1}")
    for place, row in enumerate(rows.values()):
        counts.add(row.label, place)
    if (fault := counts.fault()) is not None:
        raise RunFailed("wrong_rows", fault)
    return list(rows.values())


def find_file(data: Path | None, named: str) -> Path:
    """The file that a job calls ``named``, in the folder ``data``.

    Raises:
        RunFailed: there is none, or it is outside of the folder.
    """
    if data is None:
        raise RunFailed(
            "no_data_folder",
            "the workers have no LEPTON_DATA_FOLDER; set it, or send rows or texts in the job",
        )
    root = data.resolve()
    file = (root / named).resolve()
    try:
        found = file.is_relative_to(root) and file.is_file()
    except OSError:  # a name too long, or a folder that may not be looked into
        found = False
    if not found:
        raise RunFailed("no_such_file", f"there is no file {named!r} in LEPTON_DATA_FOLDER")
    return file


def _lines_of(file: Path, named: str) -> Iterator[LabelledRow]:
    counts = LabelCounts(named, lambda place: f"{named}, line {place}")
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(_bounded(lines, named), 1):
                if line.isspace():
                    continue
                row = _read(line, f"{named}, line {number}")
                counts.add(row.label, number)
                if counts.rows > MOST_FILE_ROWS:
                    raise RunFailed(
                        "too_many_rows",
                        f"{named} has over {MOST_FILE_ROWS:,} rows; train on a sample of them",
                    )
                yield row
    except OSError as error:
        raise RunFailed("no_such_file", f"{named} cannot be read: {error.strerror}") from error
    if (fault := counts.fault()) is not None:
        raise RunFailed("wrong_rows", fault)


def _bounded(lines: Any, named: str) -> Iterator[bytes]:
    number = 0
    while line := lines.readline(_MOST_LINE_BYTES + 1):
        number += 1
        if len(line) > _MOST_LINE_BYTES:
            raise RunFailed(
                "wrong_rows", f"{named}, line {number}: over {_MOST_LINE_BYTES:,} bytes"
            )
        yield line


def _read(line: bytes, where: str) -> LabelledRow:
    try:
        value = orjson.loads(line)
    except ValueError:
        raise RunFailed("wrong_rows", f"{where}: it is no JSON") from None
    try:
        return read_row(value, where)
    except ValueError as error:
        raise RunFailed("wrong_rows", str(error)) from None


def split_rows(rows: Sequence[Row], share: float, seed: int) -> Split:
    """Hold out ``share`` of the rows of each label, one at least and never all.

    Which ones depends on their texts and the seed, not on their order.

    >>> rows = [Row(f"text {number}", "en", "ab"[number % 2]) for number in range(20)]
    >>> split = split_rows(rows, 0.2, 7)
    >>> len(split.train), len(split.held_out), split.held_out == split_rows(rows, 0.2, 7).held_out
    (16, 4, True)
    """
    by_label: dict[str, list[Row]] = {}
    for row in rows:
        by_label.setdefault(row.label, []).append(row)
    held: set[str] = set()
    for own in by_label.values():
        own.sort(key=lambda row: hashlib.sha256(f"{seed}\0{row.text}".encode()).digest())
        count = min(len(own) - 1, max(1, round(share * len(own))))
        held.update(row.text for row in own[:count])
    ordered = sorted(rows, key=lambda row: row.text)
    return Split(
        [row for row in ordered if row.text not in held],
        [row for row in ordered if row.text in held],
    )
