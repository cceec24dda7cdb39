"""Jobs as immutable data: what a producer hands in, what a worker claims, what a reader sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from lepton_tasks.conversations import NewTurn
from lepton_tasks.crashes import Crashes
from lepton_tasks.ids import new_id
from lepton_tasks.queues import Priority, queue_name
from lepton_tasks.states import JobState


@dataclass(frozen=True, slots=True)
class Payload:
    """The work itself: admitted items, which are JSON values, and options.

    ``single`` tells one input from a list of one.
    """

    inputs: tuple[Any, ...]
    single: bool
    options: Mapping[str, Any] = field(default_factory=dict)

    def dump(self) -> str:
        """JSON as the store keeps it."""
        return orjson.dumps(
            {"inputs": self.inputs, "single": self.single, "options": dict(self.options)}
        ).decode()

    @classmethod
    def load(cls, text: str) -> Payload:
        """Inverse of :meth:`dump`.

        >>> Payload.load(Payload(("你好",), True).dump()).inputs
        ('你好',)
        """
        data = orjson.loads(text)
        return cls(tuple(data["inputs"]), data["single"], data["options"])


@dataclass(frozen=True, slots=True)
class NewJob:
    """A validated job that is not stored yet. Durations are seconds, times Unix seconds.

    ``deadline``, where it is given, is when it expires, and not ``ttl_seconds`` after it was
    stored.
    """

    tenant: str
    task: str
    payload: Payload
    cost: int
    priority: Priority = Priority.NORMAL
    id: str = field(default_factory=lambda: new_id("job"))
    run_at: float | None = None
    ttl_seconds: float | None = None
    deadline: float | None = None
    webhook: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None
    body_hash: str | None = None
    batch_id: str | None = None
    ordinal: int | None = None
    turn: NewTurn | None = None

    @property
    def queue(self) -> str:
        """Queue the job's message goes to."""
        return queue_name(self.task, self.priority)


@dataclass(frozen=True, slots=True)
class Submitted:
    """Answer to a submit: the job, new or found by its idempotency key."""

    id: str
    task: str
    priority: Priority
    state: JobState
    created_at: float
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this worker owns until its lease ends, proved by ``fence`` and ``claim_id``.

    ``crashes`` is None but for a suspect, whose inputs are to be run alone. ``retries``
    says how often it was put back because its failure might pass.
    """

    id: str
    tenant: str
    task: str
    priority: Priority
    payload: Payload
    fence: int
    claim_id: str
    deadline: float | None = None
    crashes: Crashes | None = None
    retries: int = 0


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """What the runner made of a claimed job, ready for the finish transaction.

    ``result`` is the JSON of the whole answer for a success, ``error`` that of
    ``{code, message}`` for a failure; exactly one is set, neither for a job that was
    ``cancelled``. ``failed_items`` counts the inputs that have an error of their own
    inside ``result``.
    """

    claim: ClaimedJob
    result: str | None
    error: str | None
    failed_items: int = 0
    cancelled: bool = False

    @property
    def state(self) -> JobState:
        """How the job ends, unless its tenant cancels it first."""
        if self.cancelled:
            return JobState.CANCELLED
        return JobState.SUCCEEDED if self.error is None else JobState.FAILED


@dataclass(frozen=True, slots=True)
class Job:
    """A stored job as its tenant may see it."""

    id: str
    tenant: str
    task: str
    priority: Priority
    state: JobState
    single: bool
    items: int
    attempts: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    run_at: float
    deadline: float | None
    cancel_requested: bool
    batch_id: str | None
    ordinal: int | None
    metadata: Mapping[str, str]
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    progress: Mapping[str, Any] | None = None
    """How far a job of minutes to hours has come, where it was read alone."""

    def output(self) -> Any:
        """Outputs in input order; the bare output where one bare input came in."""
        if self.result is None:
            return None
        outputs = self.result["outputs"]
        return outputs[0] if self.single else outputs
