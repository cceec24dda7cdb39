"""What a run shows: the log of the client beside the store, the notes and the events. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lepton_tasks.states import TERMINAL, JobState
from tests.chaos.executions import Execution
from tests.chaos.operations import Kind, Operation


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A row at the end of a run; ``by`` is who computed its answer, if it has one."""

    id: str
    key: str | None
    state: JobState
    worker: str | None = None
    by: str | None = None
    fence: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """The database let somebody write a final state, or write over one. Its own clock."""

    job_id: str
    at: float
    state: JobState


@dataclass(frozen=True, slots=True)
class Loss:
    """A fault took a worker's jobs away at ``at``, on the database's clock."""

    at: float
    job_ids: frozenset[str]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a run has left. ``events`` are the ids of the jobs that deliveries tell of."""

    operations: Iterable[Operation]
    jobs: Sequence[StoredJob]
    endings: Sequence[Ending]
    executions: Iterable[Execution]
    events: Sequence[str]
    losses: Sequence[Loss] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. Ids of jobs, or keys where there is no job; counts where that is enough."""

    acknowledged: int
    states: Mapping[str, int]
    lost: tuple[str, ...]
    twice: tuple[str, ...]
    stale: tuple[str, ...]
    unexpected: tuple[str, ...]
    split_keys: tuple[str, ...]
    without_event: tuple[str, ...]
    double_events: tuple[str, ...]
    executions: int
    re_executed: int
    recovery: Mapping[str, tuple[float, ...]] = field(repr=False)
    """Seconds from a loss to the end of each job that it took, by fault, shortest first."""

    def faults(self) -> dict[str, int]:
        """Name and count of each guarantee that was broken; empty when all held."""
        found = {
            "lost": self.lost,
            "written twice": self.twice,
            "stale writes": self.stale,
            "unexpected": self.unexpected,
            "keys with two jobs": self.split_keys,
            "jobs without an event": self.without_event,
            "jobs with two events": self.double_events,
        }
        return {name: len(ids) for name, ids in found.items() if ids}


def check(evidence: Evidence) -> Verdict:
    """Hold the evidence together.

    - lost: acknowledged, and not there or not final;
    - written twice: the database saw more than one final write;
    - stale: the answer is not of the worker that owned the job when it ended;
    - unexpected: there, and nobody asked for it;
    - keys with two jobs: one idempotency key, more than one job;
    - events: one a final job, no more, no less;
    - re-executed: computations beyond the first of each key.
    """
    asked: set[str] = set()
    answered: defaultdict[str, set[str]] = defaultdict(set)
    for operation in evidence.operations:
        asked.add(operation.key)
        if operation.kind is Kind.OK and operation.job_id is not None:
            answered[operation.key].add(operation.job_id)
    by_id = {job.id: job for job in evidence.jobs}
    for job in evidence.jobs:
        if job.key is not None and job.key in answered:
            answered[job.key].add(job.id)
    acknowledged = [job_id for ids in answered.values() for job_id in ids]
    final = {job.id for job in evidence.jobs if job.state in TERMINAL}
    writes = Counter(ending.job_id for ending in evidence.endings)
    events = Counter(evidence.events)
    computed = Counter(execution.key for execution in evidence.executions)
    return Verdict(
        acknowledged=len(answered),
        states=dict(Counter(str(job.state) for job in evidence.jobs)),
        lost=tuple(sorted(one for one in acknowledged if one not in final)),
        twice=tuple(sorted(one for one, count in writes.items() if count > 1)),
        stale=tuple(sorted(one.id for one in evidence.jobs if one.by not in (None, one.worker))),
        unexpected=tuple(sorted(one.id for one in by_id.values() if one.key not in asked)),
        split_keys=tuple(sorted(key for key, ids in answered.items() if len(ids) > 1)),
        without_event=tuple(sorted(final - events.keys())),
        double_events=tuple(sorted(one for one, count in events.items() if count > 1)),
        executions=sum(computed.values()),
        re_executed=sum(count - 1 for count in computed.values()),
        recovery=_recovery(evidence.losses, evidence.endings),
    )


def _recovery(losses: Sequence[Loss], endings: Sequence[Ending]) -> Mapping[str, tuple[float, ...]]:
    ended = {ending.job_id: ending.at for ending in reversed(endings)}
    taken: defaultdict[str, list[float]] = defaultdict(list)
    for loss in losses:
        for job_id in loss.job_ids:
            if ended.get(job_id, -math.inf) > loss.at:
                taken[loss.fault].append(ended[job_id] - loss.at)
    return {fault: tuple(sorted(times)) for fault, times in taken.items()}


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that ``share`` of all do not exceed; None where there is none.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5), percentile([1.0, 2.0], 0.99)
    (2.0, 2.0)
    >>> percentile([], 0.5) is None
    True
    """
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
