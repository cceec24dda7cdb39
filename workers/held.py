"""What a worker holds: jobs it owns, their inputs, and what became of each."""

from __future__ import annotations

import threading
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from lepton_tasks.jobs import ClaimedJob, FinishedJob
from lepton_tasks.nlp.base import ModelInput, characters_of
from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.nlp.retrieval import FoundPassage
from workers.engines.base import Encoded, Engine, Lane


@dataclass(eq=False, slots=True)
class HeldJob:
    """A claimed job on its way through the model. ``request`` is its Celery request.

    ``demo`` says that its model only demonstrates the task, and is told in the answer.

    ``outputs`` holds one JSON text an input, filled in as micro-batches come back. Only
    the finisher touches it, the counts, ``retryable``, set by an input whose failure may
    pass, and ``retry_after``, the seconds until then; ``cancelled`` is set by whoever learns of it,
    ``started_at`` (monotonic seconds) by the runner, ``under_way`` (a suspect's place) by
    the preparer.
    """

    claim: ClaimedJob
    task: AnyTask
    engine: Engine
    options: Any
    request: Any
    outputs: list[bytes | None] = field(init=False)
    open_items: int = field(init=False)
    failed_items: int = 0
    started_at: float | None = None
    cancelled: bool = False
    last_error: bytes = b""
    retryable: bool = False
    retry_after: float = 0.0
    demo: bool = False
    under_way: int | None = None
    found: dict[int, Sequence[FoundPassage] | None] = field(default_factory=dict)
    """What a corpus has for the input at a place, None where looking failed."""

    def __post_init__(self) -> None:
        """All inputs are open."""
        self.open_items = len(self.claim.payload.inputs)
        self.outputs = [None] * self.open_items

    @property
    def alone(self) -> bool:
        """Whether it is a suspect: each of its inputs runs in a micro-batch of its own."""
        return self.claim.crashes is not None

    def places(self) -> Sequence[int]:
        """Places of the inputs to be run, in their order; a suspect's crashed ones first."""
        items = len(self.claim.payload.inputs)
        return range(items) if self.claim.crashes is None else self.claim.crashes.order(items)

    def begin(self) -> Sequence[int]:
        """Places to be begun now: all of them, or a suspect's next when none is under way.

        Call it under one lock.
        """
        places = self.places()
        if not self.alone:
            return places
        if self.under_way is not None and self.outputs[self.under_way] is None:
            return []
        left = [place for place in places if self.outputs[place] is None][:1]
        self.under_way = left[0] if left else None
        return left

    @property
    def model(self) -> tuple[str, str]:
        """Name and revision: of one name two versions may be in memory."""
        return self.engine.name, self.engine.revision

    def lane(self, place: int) -> Hashable:
        """What the input at ``place`` may be encoded together with: all of the same lane."""
        return (*self.model, self.claim.id, place) if self.alone else self.model

    def complete(self, place: int, output: bytes) -> bool:
        """Set the output of one input; True when it was the last open one."""
        self.outputs[place] = output
        self.open_items -= 1
        return self.open_items == 0

    def fail_item(
        self,
        place: int,
        code: str,
        message: str,
        retryable: bool = False,
        retry_after: float = 0.0,
    ) -> bool:
        """Set one input's error; True when it was the last open one."""
        self.failed_items += 1
        self.retryable = self.retryable or retryable
        self.retry_after = max(self.retry_after, retry_after)
        self.last_error = orjson.dumps({"code": code, "message": message})
        return self.complete(place, b'{"error":' + self.last_error + b"}")

    def finished(self) -> FinishedJob:
        """Sum up: a job fails when none of its inputs succeeded."""
        if self.cancelled:
            return FinishedJob(self.claim, None, None, cancelled=True)
        if self.failed_items == len(self.outputs):
            return FinishedJob(self.claim, None, self.last_error.decode(), self.failed_items)
        model: dict[str, Any] = {"name": self.engine.name, "revision": self.engine.revision}
        if self.demo:
            model["demo"] = True
        result = orjson.dumps(
            {
                "model": model,
                "outputs": [orjson.Fragment(output or b"null") for output in self.outputs],
            }
        ).decode()
        return FinishedJob(self.claim, result, None, self.failed_items)


class HeldJobs:
    """The jobs of this worker by id, from their claim until their end is stored."""

    def __init__(self) -> None:
        self._jobs: dict[str, HeldJob] = {}
        self.suspect_gone = threading.Event()
        """Set when a suspect was let go of; whoever heeds it clears it."""

    def add(self, jobs: Iterable[HeldJob]) -> None:
        """Hold ``jobs``."""
        for job in jobs:
            self._jobs[job.claim.id] = job

    def discard(self, jobs: Iterable[HeldJob]) -> None:
        """Let go of ``jobs``."""
        for job in jobs:
            self._jobs.pop(job.claim.id, None)
            if job.alone:
                self.suspect_gone.set()

    def suspects(self) -> list[HeldJob]:
        """The suspect that is held, if there is one."""
        return [job for job in self._jobs.values() if job.alone]

    def holds(self, job_id: str) -> bool:
        """Whether that job is held."""
        return job_id in self._jobs

    def cancel_all_but(self, mine: Collection[tuple[str, str]]) -> int:
        """Compute no more of jobs whose (id, claim id) is not in ``mine``; returns how many."""
        lost = [
            job
            for job in list(self._jobs.values())
            if (job.claim.id, job.claim.claim_id) not in mine
        ]
        for job in lost:
            job.cancelled = True
        return len(lost)

    def cancel(self, job_ids: Iterable[str]) -> None:
        """Compute no more of those jobs than is on the device now."""
        for job_id in job_ids:
            job = self._jobs.get(job_id)
            if job is not None:
                job.cancelled = True


class OfJob:
    """One input of a held job, however far it has come."""

    __slots__ = ()

    job: HeldJob
    place: int

    @property
    def rank(self) -> int:
        """0 for the most urgent."""
        return self.job.claim.priority.rank

    @property
    def name(self) -> tuple[str, int]:
        """Its job's id and its place, as the progress file names it."""
        return self.job.claim.id, self.place


@dataclass(frozen=True, eq=False, slots=True)
class Input(OfJob):
    """One input of a held job, as it came."""

    job: HeldJob
    place: int

    @property
    def value(self) -> Any:
        """The admitted item, a JSON value."""
        return self.job.claim.payload.inputs[self.place]

    @property
    def characters(self) -> int:
        """Characters of its texts and of what was found for it."""
        found = self.job.found.get(self.place) or ()
        return characters_of(self.value) + sum(len(one.text) for one in found)


@dataclass(frozen=True, slots=True)
class Alone:
    """A lane that one input of a suspect has to itself."""

    lane: Lane
    job_id: str
    place: int


def lane_of(key: Lane | Alone) -> Lane:
    """The engine's lane behind the batcher's."""
    return key.lane if isinstance(key, Alone) else key


@dataclass(eq=False, slots=True)
class Item(OfJob):
    """One input, ready for the model.

    ``followers`` are items with the same model input that came while this one waited:
    they take its answer instead of a place on the device.
    """

    job: HeldJob
    place: int
    model_input: ModelInput
    encoded: Encoded
    followers: list[Item] = field(default_factory=list)

    @property
    def engine(self) -> Engine:
        """The model that it is for."""
        return self.job.engine

    @property
    def lane(self) -> Lane | Alone:
        """What it may share a micro-batch with: all items of the same lane."""
        lane = self.engine.lane
        return Alone(lane, *self.name) if self.job.alone else lane

    def with_followers(self) -> Iterator[Item]:
        """Yield the item itself, then those that share its answer."""
        yield self
        yield from self.followers
