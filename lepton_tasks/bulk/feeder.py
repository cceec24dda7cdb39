"""The way in: cuts of the input become shards in the store, each exactly once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lepton_tasks.bulk.outcomes import CANCELLED
from lepton_tasks.bulk.plan import Plan
from lepton_tasks.bulk.reader import LineReader
from lepton_tasks.bulk.shards import Cut, Slot, cut_lines
from lepton_tasks.errors import Overloaded
from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.producer import Producer
from lepton_tasks.states import BatchState

_PUT_SHARDS: Final = 16
"""Shards a transaction: enough to share its cost, few enough not to hold up the workers."""
_LONGEST_WAIT: Final = 5.0
"""Seconds after which a full backlog is tried again, however long it asks to wait."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """A cut without its texts. ``ordinal`` is None where no shard has to be waited for.

    ``position`` is how many bytes of the input were read when it was cut.
    """

    number: int
    ordinal: int | None
    slots: tuple[Slot, ...]
    position: int


class Feeder:
    """Reads, cuts and submits. ``broken`` tells that the end of the input could not be read.

    Cuts for which the tenant's backlog has no room are kept, and submitted when it has.
    """

    def __init__(
        self,
        plan: Plan,
        producer: Producer,
        reader: LineReader,
        batch_id: str,
        first_cut: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Go on at the cut ``first_cut``; shards that the store has are not submitted again."""
        self._plan = plan
        self._producer = producer
        self._reader = reader
        self._batch_id = batch_id
        self._first_cut = first_cut
        self._tenant = producer.settings.default_tenant
        self._cuts = cut_lines(reader, plan.shard_size)
        self._submitted = producer.store.batches.next_ordinal(self._tenant, batch_id)
        self._clock = clock
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

    def feed(self, room: int, stop: threading.Event) -> list[InFlight]:
        """Submit about ``room`` lines, fewer at the end of the input or once ``stop`` is set.

        Fewer also while the tenant's backlog is full: it never waits for room.
        """
        flying: list[InFlight] = []
        if self._kept and (stop.is_set() or not self._submit_kept(flying)):
            return flying
        cuts: list[tuple[Cut, int]] = []
        room -= sum(len(one.slots) for one in flying)
        while room > 0 and not stop.is_set():
            cut = next(self._cuts, None)
            if cut is None:
                self._ended = True
                break
            self.broken |= cut.broken
            if cut.number < self._first_cut:
                continue
            room -= len(cut.slots)
            cuts.append((cut, self._reader.position))
            if len(cuts) == _PUT_SHARDS:
                if not self._submit(cuts, flying):
                    return flying
                cuts = []
        self._submit(cuts, flying)
        return flying

    def _submit_kept(self, flying: list[InFlight]) -> bool:
        if self._clock() < self._again_at:
            return False
        kept, self._kept = self._kept, []
        return self._submit(kept, flying)

    def _submit(self, cuts: list[tuple[Cut, int]], flying: list[InFlight]) -> bool:
        """Submit ``cuts`` and add them to ``flying``; False where they had to be kept."""
        new = {cut.number for cut, _ in cuts if self._is_new(cut)}
        if new and self._batch_is_cancelled():
            flying += [
                _given_up(cut, at) if cut.number in new else _flying(cut, at) for cut, at in cuts
            ]
            return True
        try:
            self._producer.put([self._job(cut) for cut, _ in cuts if cut.number in new])
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
        return cut.ordinal is not None and cut.ordinal >= self._submitted

    def _batch_is_cancelled(self) -> bool:
        batch = self._producer.store.batches.get(self._tenant, self._batch_id)
        return batch.state is BatchState.CANCELLED

    def _job(self, cut: Cut) -> NewJob:
        plan = self._plan
        return NewJob(
            tenant=self._tenant,
            task=plan.task.name,
            payload=Payload(cut.items, single=False, options=plan.options),
            cost=plan.task.job_cost(cut.items, plan.options),
            priority=plan.priority,
            batch_id=self._batch_id,
            ordinal=cut.ordinal,
        )


def _flying(cut: Cut, position: int) -> InFlight:
    return InFlight(cut.number, cut.ordinal, cut.slots, position)


def _given_up(cut: Cut, position: int) -> InFlight:
    slots = tuple(slot._replace(problem=slot.problem or CANCELLED) for slot in cut.slots)
    return InFlight(cut.number, None, slots, position)
