"""Queue names and the routing rule: one queue per task type and priority.

One queue per priority, and not Redis priorities inside one queue, so that
``LLEN`` and Flower tell the truth and the order is that of our weights.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from lepton_tasks.errors import InvalidInput

MESSAGE_PREFIX: Final = "lepton."
UNACKED_KEY: Final = "lepton:unacked"
"""Redis hash of the messages that workers have fetched and not acknowledged."""


class Priority(StrEnum):
    """Priorities, most urgent first."""

    HIGH = "high"
    NORMAL = "normal"
    BULK = "bulk"

    @property
    def rank(self) -> int:
        """0 for the most urgent.

        >>> [priority.rank for priority in Priority]
        [0, 1, 2]
        """
        return _RANKS[self]


_RANKS: Final = {priority: rank for rank, priority in enumerate(Priority)}


_PRIORITIES: Final[dict[str, Priority]] = {str(priority): priority for priority in Priority}


def parse_priority(value: object) -> Priority:
    """Read a priority as a producer wrote it.

    >>> parse_priority("bulk")
    <Priority.BULK: 'bulk'>

    Raises:
        InvalidInput: it is none of ours.
    """
    if isinstance(value, str) and value in _PRIORITIES:
        return _PRIORITIES[value]
    known = ", ".join(Priority)
    raise InvalidInput(f"priority must be one of {known}", "priority", "unknown_priority")


def queue_name(task: str, priority: str) -> str:
    """Name of the queue of ``task`` at ``priority``.

    >>> queue_name("moderation", Priority.NORMAL)
    'moderation.normal'
    """
    return f"{task}.{priority}"


def split_queue_name(queue: str) -> tuple[str, Priority]:
    """Task and priority of a queue; a foreign name counts as normal priority.

    >>> split_queue_name("moderation.bulk")
    ('moderation', <Priority.BULK: 'bulk'>)
    >>> split_queue_name("celery")
    ('celery', <Priority.NORMAL: 'normal'>)
    """
    task, _, priority = queue.rpartition(".")
    if task and priority in set(Priority):
        return task, Priority(priority)
    return queue, Priority.NORMAL


def message_name(task: str) -> str:
    """Celery task name of an NLP task.

    >>> message_name("moderation")
    'lepton.moderation'
    """
    return MESSAGE_PREFIX + task


def task_of_message(name: str) -> str:
    """NLP task of a Celery task name; the inverse of :func:`message_name`.

    >>> task_of_message("lepton.moderation")
    'moderation'
    """
    return name.removeprefix(MESSAGE_PREFIX)


def route_task(
    name: str, args: Any, kwargs: Any, options: dict[str, Any], task: Any = None, **_: Any
) -> dict[str, Any] | None:
    """Celery router: an unrouted ``lepton.*`` message goes to its normal-priority queue."""
    if not name.startswith(MESSAGE_PREFIX):
        return None
    return {"queue": queue_name(task_of_message(name), Priority.NORMAL)}
