"""Between the way in and the way out: what is in flight, and handing it on in input order.

At most about a window of lines is between input and output at any time, so neither memory
nor Redis nor the queue grows with the file.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from lepton_tasks.bulk.errors import ShardMismatch
from lepton_tasks.bulk.feeder import Feeder, InFlight
from lepton_tasks.bulk.outcomes import outcomes_of
from lepton_tasks.bulk.shards import Slot
from lepton_tasks.jobs import Job

WINDOW: Final = 4_096
"""Lines in flight."""
PAGE_ITEMS: Final = 1_024
"""Outputs that are read at a time, about."""

Finished = Callable[[int, int], Sequence[Job]]
"""From the ordinal of a shard and a number: so many that have ended, up to the first that has not.
"""
Dealt = tuple[Slot, Job | None, Sequence[Any]]
"""A line, the job that did it, and what came of its items; a bad line has neither."""


class Conveyor:
    """Fills the window from a feeder, and hands cuts on in order as their shards end."""

    def __init__(
        self,
        feeder: Feeder,
        finished: Finished,
        write: Callable[[Iterator[Dealt]], None],
        *,
        next_cut: int = 0,
        next_ordinal: int = 0,
        window: int = WINDOW,
        characters: int = sys.maxsize,
        page_items: int = PAGE_ITEMS,
    ) -> None:
        """``write`` takes the lines of a cut; ``next_cut`` is the first that it gets.

        ``next_ordinal`` is that of the first shard from there on.

        ``characters`` bounds the texts of the lines in flight, ``page_items`` the outputs that
        are read at a time, about.
        """
        self._feeder = feeder
        self._finished = finished
        self._write = write
        self._window = window
        self._most_characters = characters
        self._page_items = page_items
        self._flying: deque[InFlight] = deque()
        self._ready: deque[Job] = deque()
        self._lines = 0
        self._characters = 0
        self.next_cut = next_cut
        """The first cut that was not handed on."""
        self.next_ordinal = next_ordinal
        """Ordinal of the first shard that was not handed on."""
        self.last: InFlight | None = None
        """The last cut that was handed on."""

    @property
    def empty(self) -> bool:
        """Whether all of the input was handed on."""
        return self._feeder.exhausted and not self._flying

    def fill(self, stop: threading.Event) -> None:
        """Fill the window, but not for the sake of single shards."""
        room = self._window - self._lines
        characters = self._most_characters - self._characters
        if (
            self._feeder.exhausted
            or room < self._window // 4
            or characters < self._most_characters // 4
        ):
            return
        for cut in self._feeder.feed(room, stop, characters):
            self._flying.append(cut)
            self._lines += len(cut.slots)
            self._characters += cut.characters

    def collect(self) -> bool:
        """Hand on what is done, in order, up to the first shard that is not; True if any was."""
        before = self.next_cut
        while self._flying:
            head = self._flying[0]
            if len(self._ready) < head.shards and not self._look(head):
                break
            jobs = [self._ready.popleft() for _ in range(head.shards)]
            self._write(_deal(head, jobs))
            self._flying.popleft()
            self._lines -= len(head.slots)
            self._characters -= head.characters
            self.next_cut = head.number + 1
            self.next_ordinal += head.shards
            self.last = head
        return self.next_cut > before

    def _look(self, head: InFlight) -> bool:
        """Read further ends; True where all shards of ``head`` have come."""
        first = (head.ordinal or 0) + len(self._ready)
        self._ready.extend(self._finished(first, max(self._page(), head.shards)))
        return len(self._ready) >= head.shards

    def _page(self) -> int:
        """Shards that have about as many outputs as are read at a time."""
        shards = items = 0
        for cut in self._flying:
            items += cut.items
            if items > self._page_items:
                break
            shards += cut.shards
        return shards


def _deal(cut: InFlight, jobs: Sequence[Job]) -> Iterator[Dealt]:
    """Give each line of a cut what came of its items.

    Raises:
        ShardMismatch: there are not as many outputs as the lines have items.
    """
    outcomes = [outcomes_of(job) for job in jobs]
    outputs = sum(map(len, outcomes))
    if outputs != cut.items or any(
        len(own) != job.items for own, job in zip(outcomes, jobs, strict=True)
    ):
        raise ShardMismatch(f"a shard has {outputs} outputs for {cut.items} lines of the input")
    places = [0] * len(jobs)
    for slot in cut.slots:
        if slot.problem is not None:
            yield slot, None, ()
            continue
        place = places[slot.shard]
        places[slot.shard] = end = place + slot.items
        yield slot, jobs[slot.shard], outcomes[slot.shard][place:end]
