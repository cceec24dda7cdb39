"""The items that wait for the model: one side adds, the model takes, nobody polls."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lepton_tasks.nlp.base import ModelInput
from workers.batcher import Batcher, Budget, Choice
from workers.held import Item
from workers.text_free import describe

logger = logging.getLogger(__name__)

Prepare = Callable[[Sequence[Item]], Any]
"""Makes of a micro-batch what the device takes; called outside the lock."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """The items of one forward pass; their tensors where they were made ready, else None."""

    items: Sequence[Item]
    prepared: Any


class WorkQueue:
    """The batcher behind a lock, and the micro-batch that is made ready ahead.

    While the model computes, :meth:`prepare_next` makes the tensors of the micro-batch
    that would be next. What is next is decided when the model asks, so urgent work that
    came meanwhile displaces it; only the work of preparing is lost then.
    """

    def __init__(
        self, prepare: Prepare, budget: Budget, urgent_waits: Callable[[], None] = lambda: None
    ) -> None:
        """``budget`` gives the padded tokens of a lane's micro-batch.

        ``urgent_waits`` is called before the budget is asked for, where urgent work waits.
        """
        self._batcher: Batcher[Item] = Batcher()
        self._leaders: dict[tuple[tuple[str, str], ModelInput], Item] = {}
        self._prepare = prepare
        self._budget = budget
        self._urgent_waits = urgent_waits
        self._ahead: tuple[Choice[Item], Any] | None = None
        self._preparing = False
        self._items = 0
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        """Items held, those that follow another included."""
        return self._items

    def add(self, items: Sequence[Item]) -> None:
        """Let items wait for the model; identical inputs wait as one, a suspect's alone.

        Of one model, that is, at one revision.
        """
        with self._changed:
            self._items += len(items)
            for item in items:
                self._add(item)
            self._changed.notify_all()

    def _add(self, item: Item) -> None:
        if not item.job.alone:
            key = (item.job.model, item.model_input)
            leader = self._leaders.get(key)
            if leader is not None and leader.rank <= item.rank:
                leader.followers.append(item)
                return
            self._leaders[key] = item
        self._batcher.add(
            item,
            length=item.encoded.length,
            rank=item.rank,
            lane=item.lane,
            tenant=item.job.claim.tenant,
            deadline=item.job.claim.deadline,
        )

    def take(self, timeout: float) -> MicroBatch | None:
        """Next micro-batch, at once if there is anything; None after ``timeout`` or close."""
        with self._changed:
            if not len(self._batcher) and not self._closed:
                self._changed.wait(timeout)
            while self._preparing:
                self._changed.wait()
            if self._closed or not len(self._batcher):
                return None
            self._note_urgent()
            ahead, self._ahead = self._ahead, None
            if ahead is not None and self._batcher.still_next(ahead[0], self._budget):
                self._remove(ahead[0])
                return MicroBatch(ahead[0].items, ahead[1])
            choice = self._batcher.choose(self._budget)
            if choice is None:
                return None
            self._remove(choice)
            return MicroBatch(choice.items, None)

    def prepare_next(self) -> None:
        """Make the micro-batch ready that would be next now, unless it is."""
        with self._changed:
            self._note_urgent()
            if self._ahead is not None and self._batcher.still_next(self._ahead[0], self._budget):
                return
            self._ahead = None
            choice = None if self._closed else self._batcher.choose(self._budget)
            if choice is None:
                return
            self._preparing = True
        prepared = None
        try:
            prepared = self._prepare(choice.items)
        except Exception as error:  # noqa: BLE001 - the runner meets it again, and finds the culprit
            logger.warning("a micro-batch could not be prepared: %s", describe(error))
        finally:
            with self._changed:
                self._preparing = False
                self._ahead = None if prepared is None else (choice, prepared)
                self._changed.notify_all()

    def close(self) -> list[Item]:
        """Hand out nothing more; returns what was waiting."""
        with self._changed:
            self._closed = True
            self._ahead = None
            left = [one for item in self._batcher.drain() for one in item.with_followers()]
            self._leaders.clear()
            self._items = 0
            self._changed.notify_all()
            return left

    def _note_urgent(self) -> None:
        if self._batcher.has(0):
            self._urgent_waits()

    def _remove(self, choice: Choice[Item]) -> None:
        self._batcher.remove(choice)
        for item in choice.items:
            key = (item.job.model, item.model_input)
            if self._leaders.get(key) is item:
                del self._leaders[key]
            self._items -= 1 + len(item.followers)
