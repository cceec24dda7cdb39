"""What a worker holds: jobs it owns, their items, and the queue between its threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from lepton_tasks.jobs import ClaimedJob, FinishedJob
from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.registry import AnyTask
from workers.batcher import Batcher
from workers.engines.base import Encoded, Engine


@dataclass(eq=False, slots=True)
class HeldJob:
    """A claimed job on its way through the model. ``request`` is its Celery request.

    ``outputs`` holds one JSON text an input, filled in as micro-batches come back.
    Only the thread that completes items touches the mutable fields.
    """

    claim: ClaimedJob
    task: AnyTask
    options: Any
    request: Any
    outputs: list[bytes | None] = field(default_factory=list)
    open_items: int = 0
    failed_items: int = 0
    started_at: float | None = None
    last_error: bytes = b""

    def complete(self, place: int, output: bytes) -> bool:
        """Set the output of one input; True when it was the last open one."""
        self.outputs[place] = output
        self.open_items -= 1
        return self.open_items == 0

    def fail_item(self, place: int, code: str, message: str) -> bool:
        """Set one input's error; True when it was the last open one."""
        self.failed_items += 1
        self.last_error = orjson.dumps({"code": code, "message": message})
        return self.complete(place, b'{"error":' + self.last_error + b"}")

    def finished(self, model: str, revision: str) -> FinishedJob:
        """Sum up: a job fails when none of its inputs succeeded."""
        if self.failed_items == len(self.outputs):
            return FinishedJob(self.claim, None, self.last_error.decode(), self.failed_items)
        result = orjson.dumps(
            {
                "model": {"name": model, "revision": revision},
                "outputs": [orjson.Fragment(output or b"null") for output in self.outputs],
            }
        ).decode()
        return FinishedJob(self.claim, result, None, self.failed_items)


@dataclass(eq=False, slots=True)
class Item:
    """One input of a held job, tokenised.

    ``followers`` are items with the same input that came while this one waited: they
    take its scores instead of a place on the device.
    """

    job: HeldJob
    place: int
    model_input: ModelInput
    encoded: Encoded
    engine: Engine
    followers: list[Item] = field(default_factory=list)

    @property
    def rank(self) -> int:
        """0 for the most urgent."""
        return self.job.claim.priority.rank

    def with_followers(self) -> Iterator[Item]:
        """Yield the item itself, then those that share its scores."""
        yield self
        yield from self.followers


class WorkQueue:
    """The batcher behind a lock: the intake adds, the runner takes, nobody polls."""

    def __init__(self) -> None:
        self._batcher: Batcher[Item] = Batcher()
        self._leaders: dict[tuple[str, ModelInput], Item] = {}
        self._items = 0
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        """Items held, those that follow another included."""
        return self._items

    def add(self, items: Sequence[Item]) -> None:
        """Let items wait for the model; identical inputs wait as one."""
        with self._changed:
            self._items += len(items)
            for item in items:
                self._add(item)
            self._changed.notify_all()

    def _add(self, item: Item) -> None:
        key = (item.engine.name, item.model_input)
        leader = self._leaders.get(key)
        if leader is not None and leader.rank <= item.rank:
            leader.followers.append(item)
            return
        self._leaders[key] = item
        self._batcher.add(
            item,
            length=item.encoded.length,
            rank=item.rank,
            engine=item.engine.name,
            tenant=item.job.claim.tenant,
            deadline=item.job.claim.deadline,
        )

    def take(self, budget: Callable[[bool], int], timeout: float) -> list[Item]:
        """Next micro-batch, at once if there is anything; empty after ``timeout`` or close.

        ``budget`` gives its padded tokens, told whether the most urgent work waits.
        """
        with self._changed:
            if not len(self._batcher) and not self._closed:
                self._changed.wait(timeout)
            if self._closed:
                return []
            items = self._batcher.take(budget(self._batcher.has(0)))
            for item in items:
                key = (item.engine.name, item.model_input)
                if self._leaders.get(key) is item:
                    del self._leaders[key]
                self._items -= 1 + len(item.followers)
            return items

    def close(self) -> list[Item]:
        """Hand out nothing more; returns what was waiting."""
        with self._changed:
            self._closed = True
            left = [one for item in self._batcher.drain() for one in item.with_followers()]
            self._leaders.clear()
            self._items = 0
            self._changed.notify_all()
            return left
