"""Lines cut into shards: the jobs of a batch, and where their outputs belong.

A cut is a stretch of the file: up to ``shard_size`` lines, good or bad. Its good
lines make one job; its ordinal counts the cuts that have any. Where a cut's outputs
go (line numbers, ids, what is wrong with the bad lines) is nowhere stored: cutting
depends on nothing but the file and the options, so a run keeps it in memory for the
bounded number of cuts in flight, and a resumed run cuts the same file again. That
needs no second reader and no room in the database or the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, NamedTuple

from lepton_tasks.bulk.lines import BadLine, Line, LineId
from lepton_tasks.nlp.base import characters_of

DEFAULT_SHARD_SIZE: Final = 32
MAX_SHARD_CHARACTERS: Final = 65_536
"""Text at which a cut ends early; one line may pass it alone."""


class Problem(NamedTuple):
    """Why a line has no output."""

    code: str
    message: str


class Slot(NamedTuple):
    """A line's place in the output. ``problem`` is set where the line is bad."""

    number: int
    id: LineId
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch of lines. ``items`` are those of the slots without a problem, in order.

    ``ordinal`` is that of the shard which the items make, None where there are none.
    ``broken`` tells that the file could not be read beyond this cut.
    """

    number: int
    ordinal: int | None
    slots: tuple[Slot, ...]
    items: tuple[Any, ...]
    broken: bool


def cut_lines(lines: Iterable[Line | BadLine], shard_size: int) -> Iterator[Cut]:
    """Cut ``lines``, each into exactly one cut, in order.

    >>> lines = [Line(1, None, "a"), BadLine(2, None, "x", "no"), Line(3, None, "b")]
    >>> for cut in cut_lines(lines, 2):
    ...     print(cut.number, cut.ordinal, cut.items, [slot.number for slot in cut.slots])
    0 0 ('a',) [1, 2]
    1 1 ('b',) [3]
    """
    numbers, ordinals = count(), count()

    def make() -> Cut:
        ordinal = next(ordinals) if items else None
        return Cut(next(numbers), ordinal, tuple(slots), tuple(items), broken)

    slots: list[Slot] = []
    items: list[Any] = []
    characters, broken = 0, False
    for line in lines:
        size = characters_of(line.item) if isinstance(line, Line) else 0
        if len(slots) == shard_size or (items and characters + size > MAX_SHARD_CHARACTERS):
            yield make()
            slots, items, characters = [], [], 0
        if isinstance(line, Line):
            slots.append(Slot(line.number, line.id, None))
            items.append(line.item)
            characters += size
        else:
            slots.append(Slot(line.number, line.id, Problem(line.code, line.message)))
            broken = line.final
    if slots:
        yield make()
