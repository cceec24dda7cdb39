"""Labelled texts for training: what a row is, and what a set of rows must hold. Pure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Final

from pydantic import Field, ValidationError

from lepton_tasks.faults import first_fault
from lepton_tasks.nlp.base import TaskItem

LEAST_ROWS: Final = 10
LEAST_PER_LABEL: Final = 2
MOST_LABELS: Final = 256
MOST_CHARACTERS: Final = 20_000
MOST_LABEL_CHARACTERS: Final = 100


class LabelledRow(TaskItem):
    """A text and its label."""

    text: str = Field(min_length=1, max_length=MOST_CHARACTERS)
    label: str = Field(min_length=1, max_length=MOST_LABEL_CHARACTERS)


class LabelCounts:
    """Counts rows as they come by, and says what the whole set lacks. Memory: its labels.

    >>> counts = LabelCounts("rows", lambda place: f"rows[{place}]")
    >>> for place in range(12):
    ...     counts.add("good" if place else "bad", place)
    >>> counts.fault()
    'rows[0] is the only row of its label; a label needs 2 at least, one of which is held out'
    """

    def __init__(self, name: str, place: Callable[[int], str]) -> None:
        """``name`` is what the rows are called in messages, ``place`` what one of them is."""
        self._name = name
        self._place = place
        self._first: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self.rows = 0

    def add(self, label: str, place: int) -> None:
        """Count a row of ``label``."""
        self.rows += 1
        self._first.setdefault(label, place)
        self.counts[label] = self.counts.get(label, 0) + 1

    def fault(self) -> str | None:
        """What is wrong with the set so far; None where it can be trained on."""
        if self.rows < LEAST_ROWS:
            return f"{self._name}: there are {self.rows} rows; training takes {LEAST_ROWS} at least"
        if len(self.counts) < 2:
            return f"{self._name}: all rows have one label; training takes two at least"
        if len(self.counts) > MOST_LABELS:
            return (
                f"{self._name}: there are {len(self.counts):,} labels; training takes "
                f"{MOST_LABELS} at most. Is the label column the right one?"
            )
        for label, count in self.counts.items():
            if count < LEAST_PER_LABEL:
                where = self._place(self._first[label])
                return (
                    f"{where} is the only row of its label; a label needs {LEAST_PER_LABEL} at "
                    "least, one of which is held out"
                )
        return None


def read_row(value: object, where: str) -> LabelledRow:
    """Check one row of a file, of which only ``text`` and ``label`` are looked at.

    >>> read_row({"text": "很好吃", "label": "positive", "id": 7}, "line 3").label
    'positive'

    Raises:
        ValueError: it is none; the message begins with ``where`` and quotes nothing of it.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{where}: a row is an object with text and label")
    given = {name: value[name] for name in ("text", "label") if name in value}
    try:
        row = LabelledRow.model_validate(given)
    except ValidationError as error:
        place, says = first_fault(error, given, where)
        raise ValueError(f"{place}: {says}") from error
    for name, text in (("text", row.text), ("label", row.label)):
        if text.isspace():
            raise ValueError(f"{where}.{name} is empty")
    return row


def check_relative(path: str) -> str:
    """Return ``path`` if it leads to a file inside of a folder by its name alone.

    >>> check_relative("reviews/2026.jsonl")
    'reviews/2026.jsonl'

    Raises:
        ValueError: it is absolute, or has ``..`` or a NUL in it.
    """
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\0" in path or "\\" in path or not parts.name:
        raise ValueError("it must be a path inside LEPTON_DATA_FOLDER, without `..`")
    return path
