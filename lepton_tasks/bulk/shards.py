"""Lines cut into shards: the jobs of a batch, and where their outputs belong.

A cut is a stretch of the file: up to ``shard_size`` lines, good or bad. Those of its good
lines that ask the same make one job, a shard; the ordinals of shards count them through the
file. Where a cut's outputs go (line numbers, ids, what is wrong with the bad lines) is nowhere
stored: cutting depends on nothing but the lines and the options, so a run keeps it in memory
for the bounded number of cuts in flight, and a resumed run cuts the same lines again. That
needs no second reader and no room in the database or the journal.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, NamedTuple, Protocol

from lepton_tasks.bulk.lines import LineId, Problem

DEFAULT_SHARD_SIZE: Final = 32
MAX_SHARD_CHARACTERS: Final = 65_536
"""Text at which a cut ends early; one line may pass it alone."""


class AnyLine(Protocol):
    """A line of a file, good or bad, as cutting sees it."""

    @property
    def number(self) -> int:
        """Its place in the file, from 1."""
        ...

    @property
    def id(self) -> LineId:
        """The id that its tenant gave it."""
        ...

    @property
    def items(self) -> tuple[Any, ...]:
        """What is to be computed; nothing where the line is bad."""
        ...

    @property
    def size(self) -> int:
        """About how many characters the run holds of it."""
        ...

    @property
    def work(self) -> Hashable:
        """What is asked of the items; lines of equal work share a shard."""
        ...

    @property
    def problem(self) -> Problem | None:
        """What is wrong with a bad line."""
        ...

    @property
    def reply(self) -> Any:
        """What the writer of its output needs to know, besides the output or the problem."""
        ...

    @property
    def final(self) -> bool:
        """Whether nothing after it could be read."""
        ...


class Slot(NamedTuple):
    """A line's place in the output. ``problem`` is set where the line is bad.

    Else its ``items`` are the next ones of the cut's ``shard``-th shard.
    """

    number: int
    id: LineId
    problem: Problem | None
    shard: int = 0
    items: int = 1
    reply: Any = None


@dataclass(frozen=True, slots=True)
class Shard:
    """A job in the making: the items, in order, of lines that ask the same ``work``."""

    work: Any
    items: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch of lines, which have so many ``items`` and ``characters``.

    ``ordinal`` is that of the first of its shards, None where there are none; the others
    follow. ``broken`` tells that the file could not be read beyond this cut.
    """

    number: int
    ordinal: int | None
    slots: tuple[Slot, ...]
    shards: tuple[Shard, ...]
    items: int
    characters: int
    broken: bool


def cut_lines(
    lines: Iterable[AnyLine], shard_size: int, first_cut: int = 0, first_ordinal: int = 0
) -> Iterator[Cut]:
    """Cut ``lines``, each into exactly one cut, in order.

    A cut has at most ``shard_size`` lines and items; one line may have more items alone.
    Lines from the beginning of a cut on are cut as they are with all lines before them.

    >>> from lepton_tasks.bulk.lines import BadLine, Line
    >>> lines = [Line(1, None, "a"), BadLine(2, None, "x", "no"), Line(3, None, "b")]
    >>> for cut in cut_lines(lines, 2):
    ...     print(cut.number, cut.ordinal, cut.shards[0].items, [one.number for one in cut.slots])
    0 0 ('a',) [1, 2]
    1 1 ('b',) [3]
    """
    numbers, ordinal = count(first_cut), first_ordinal

    def make() -> Cut:
        return Cut(
            next(numbers),
            ordinal if shards else None,
            tuple(slots),
            tuple([Shard(work, tuple(given)) for work, (_, given) in shards.items()]),
            items,
            characters,
            broken,
        )

    slots: list[Slot] = []
    shards: dict[Hashable, tuple[int, list[Any]]] = {}
    items, characters, broken = 0, 0, False
    for line in lines:
        own = line.items
        size = line.size
        if len(slots) == shard_size or (
            items and (items + len(own) > shard_size or characters + size > MAX_SHARD_CHARACTERS)
        ):
            yield make()
            ordinal += len(shards)
            slots, shards, items, characters = [], {}, 0, 0
        if own:
            work = line.work
            shard = shards.get(work)
            if shard is None:
                shard = shards[work] = (len(shards), [])
            shard[1].extend(own)
            slots.append(Slot(line.number, line.id, None, shard[0], len(own), line.reply))
            items += len(own)
        else:
            slots.append(Slot(line.number, line.id, line.problem, reply=line.reply))
            broken = line.final
        characters += size
    if slots:
        yield make()
