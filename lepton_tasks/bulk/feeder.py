"""The way in: cuts of the input become shards in the store, each exactly once."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from lepton_tasks.bulk.lines import Problem
from lepton_tasks.bulk.shards import Cut, Shard, Slot
from lepton_tasks.errors import Overloaded
from lepton_tasks.jobs import NewJob
from lepton_tasks.producer import Producer

PUT_SHARDS: Final = 16
"""Shards a transaction: enough to share its cost, few enough not to hold up the workers."""
_LONGEST_WAIT: Final = 5.0
"""Seconds after which a full backlog is tried again, however long it asks to wait."""


class Errand(Protocol):
    """Whose shards they are, and what job each one makes."""

    @property
    def tenant(self) -> str:
        """Who owns the batch."""
        ...

    @property
    def batch_id(self) -> str:
        """The batch."""
        ...

    def job(self, shard: Shard, ordinal: int) -> NewJob:
        """Make the job of a shard."""
        ...

    def given_up(self) -> Problem | None:
        """Say why no new shard is to be submitted any more; None while they are."""
        ...


@dataclass(frozen=True, slots=True)
class InFlight:
    """A cut without its texts: its shards are to have so many ``items`` as outputs.

    ``shards`` is 0 where none has to be waited for.

    ``position`` is how many bytes of the input were read when it was cut.
    """

    number: int
    ordinal: int | None
    shards: int
    slots: tuple[Slot, ...]
    items: int
    characters: int
    position: int


class Feeder:
    """Takes cuts and submits them. ``broken`` tells that the input could not be read to its end.

    Cuts for which the tenant's backlog has no room are kept, and submitted when it has.
    """

    def __init__(
        self,
        producer: Producer,
        errand: Errand,
        cuts: Iterator[Cut],
        position: Callable[[], int],
        first_cut: int = 0,
        clock: Callable[[], float] = time.monotonic,
        *,
        put_shards: int = PUT_SHARDS,
    ) -> None:
        """Submit ``cuts`` from ``first_cut`` on, but for the shards that the store has.

        ``position`` says how many bytes of the input were read; ``put_shards`` how many
        shards go in a transaction, about.
        """
        self._producer = producer
        self._errand = errand
        self._cuts = cuts
        self._position = position
        self._first_cut = first_cut
        self._submitted = producer.store.batches.next_ordinal(errand.tenant, errand.batch_id)
        self._clock = clock
        self._put_shards = put_shards
        self._kept: list[tuple[Cut, int]] = []
        self._again_at = float("-inf")
        self._ended = False
        self.waiting_since: float | None = None
        """When the backlog was found full, by the clock; None while it has room."""
        self.broken = False

    @property
    def exhausted(self) -> bool:
        """Whether the input has come to its end, and all of it was submitted."""
        return self._ended and not self._kept

    @property
    def waited(self) -> float:
        """Seconds for which the backlog has had no room."""
        return 0.0 if self.waiting_since is None else self._clock() - self.waiting_since

    def feed(
        self, room: int, stop: threading.Event, characters: int = sys.maxsize
    ) -> list[InFlight]:
        """Submit about ``room`` lines, fewer at the end of the input or once ``stop`` is set.

        Fewer also where they have about so many ``characters``, and while the tenant's
        backlog is full: it never waits for room.
        """
        flying: list[InFlight] = []
        if self._kept and (stop.is_set() or not self._submit_kept(flying)):
            return flying
        cuts: list[tuple[Cut, int]] = []
        shards = 0
        room -= sum(len(one.slots) for one in flying)
        characters -= sum(one.characters for one in flying)
        while room > 0 and characters > 0 and not stop.is_set():
            cut = next(self._cuts, None)
            if cut is None:
                self._ended = True
                break
            self.broken |= cut.broken
            if cut.number < self._first_cut:
                continue
            room -= len(cut.slots)
            characters -= cut.characters
            shards += max(1, len(cut.shards))
            cuts.append((cut, self._position()))
            if shards >= self._put_shards:
                if not self._submit(cuts, flying):
                    return flying
                cuts, shards = [], 0
        self._submit(cuts, flying)
        return flying

    def _submit_kept(self, flying: list[InFlight]) -> bool:
        if self._clock() < self._again_at:
            return False
        kept, self._kept = self._kept, []
        return self._submit(kept, flying)

    def _submit(self, cuts: list[tuple[Cut, int]], flying: list[InFlight]) -> bool:
        """Submit ``cuts`` and add them to ``flying``; False where they had to be kept."""
        new = [cut for cut, _ in cuts if self._is_new(cut)]
        problem = self._errand.given_up() if new else None
        if problem is not None:
            flying += [
                _given_up(cut, at, problem) if self._is_new(cut) else _flying(cut, at)
                for cut, at in cuts
            ]
            return True
        try:
            self._producer.put([job for cut in new for job in self._jobs(cut)])
        except Overloaded as refusal:
            self._kept = cuts
            self._again_at = self._clock() + min(refusal.retry_after, _LONGEST_WAIT)
            if self.waiting_since is None:
                self.waiting_since = self._clock()
            return False
        flying += [_flying(cut, at) for cut, at in cuts]
        if new:
            self.waiting_since = None
        return True

    def _is_new(self, cut: Cut) -> bool:
        # All shards of a cut are submitted in one transaction, so the first tells.
        return cut.ordinal is not None and cut.ordinal >= self._submitted

    def _jobs(self, cut: Cut) -> list[NewJob]:
        first = cut.ordinal or 0
        return [self._errand.job(shard, first + place) for place, shard in enumerate(cut.shards)]


def _flying(cut: Cut, position: int) -> InFlight:
    return InFlight(
        cut.number,
        cut.ordinal,
        len(cut.shards),
        cut.slots,
        cut.items,
        cut.characters,
        position,
    )


def _given_up(cut: Cut, position: int, problem: Problem) -> InFlight:
    slots = tuple(slot._replace(problem=slot.problem or problem) for slot in cut.slots)
    return InFlight(cut.number, None, 0, slots, 0, cut.characters, position)
