"""The life of a job as data: which states there are, and which moves are legal."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from lepton_tasks.errors import IllegalTransition


class JobState(StrEnum):
    """Where a job stands. The last five are final; only an operator moves a dead job again.

    A suspect was in work on a worker that died; it waits to be run alone.
    """

    QUEUED = "queued"
    RUNNING = "running"
    SUSPECT = "suspect"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    DEAD = "dead"


TERMINAL: Final = frozenset(
    {
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.CANCELLED,
        JobState.EXPIRED,
        JobState.DEAD,
    }
)
WAITING: Final = (JobState.QUEUED, JobState.SUSPECT)
"""States of a job that no worker owns yet: it can be cancelled at once, and it can expire."""

_EDGES: Final = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.EXPIRED}),
    JobState.SUSPECT: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.EXPIRED}),
    JobState.RUNNING: frozenset(
        {
            JobState.QUEUED,
            JobState.SUSPECT,
            JobState.SUCCEEDED,
            JobState.FAILED,
            JobState.CANCELLED,
            JobState.DEAD,
        }
    ),
    JobState.DEAD: frozenset({JobState.QUEUED}),
}


def sources(target: JobState) -> tuple[JobState, ...]:
    """States from which a job may move to ``target``; store updates filter on them.

    >>> [str(state) for state in sources(JobState.SUCCEEDED)]
    ['running']
    """
    return tuple(state for state, targets in _EDGES.items() if target in targets)


def check_transition(current: JobState, target: JobState) -> None:
    """Refuse a move that is no edge.

    >>> check_transition(JobState.QUEUED, JobState.RUNNING)
    >>> check_transition(JobState.SUCCEEDED, JobState.RUNNING)
    Traceback (most recent call last):
    ...
    lepton_tasks.errors.IllegalTransition: a succeeded job cannot become running

    Raises:
        IllegalTransition: the move is not in the table.
    """
    if target not in _EDGES.get(current, frozenset()):
        raise IllegalTransition(f"a {current} job cannot become {target}")


class BatchState(StrEnum):
    """Where a bulk file stands; one that a command reads begins in progress."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


BATCH_TERMINAL: Final = frozenset(
    {BatchState.COMPLETED, BatchState.FAILED, BatchState.EXPIRED, BatchState.CANCELLED}
)

_BATCH_EDGES: Final = {
    BatchState.VALIDATING: frozenset(
        {
            BatchState.IN_PROGRESS,
            BatchState.FAILED,
            BatchState.CANCELLING,
            BatchState.EXPIRED,
        }
    ),
    BatchState.IN_PROGRESS: frozenset(
        {
            BatchState.FINALIZING,
            BatchState.COMPLETED,
            BatchState.FAILED,
            BatchState.CANCELLING,
            BatchState.CANCELLED,
            BatchState.EXPIRED,
        }
    ),
    BatchState.FINALIZING: frozenset({BatchState.COMPLETED, BatchState.FAILED, BatchState.EXPIRED}),
    BatchState.CANCELLING: frozenset({BatchState.CANCELLED}),
}


def batch_sources(target: BatchState) -> tuple[BatchState, ...]:
    """States from which a batch may move to ``target``; store updates filter on them.

    >>> [str(state) for state in batch_sources(BatchState.CANCELLING)]
    ['validating', 'in_progress']
    """
    return tuple(state for state, targets in _BATCH_EDGES.items() if target in targets)


class UploadState(StrEnum):
    """Where a file stands that comes in parts; all but the first are final."""

    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class DeliveryState(StrEnum):
    """Where one webhook delivery stands.

    A held one belongs to a disabled endpoint: it is kept and not sent. A cancelled one
    belonged to an endpoint that was deleted.
    """

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    HELD = "held"
    CANCELLED = "cancelled"


class EndpointState(StrEnum):
    """Where a webhook endpoint stands: failing is active, with its last attempt a failure."""

    ACTIVE = "active"
    FAILING = "failing"
    DISABLED = "disabled"
