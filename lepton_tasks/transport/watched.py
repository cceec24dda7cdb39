"""The queues a channel consumes, their Redis lists, and what a fetch takes from each list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from lepton_tasks.queues import Priority, split_queue_name
from lepton_tasks.transport.quota import plan, weight_of

NO_LIMITS: Final[Mapping[str, int]] = MappingProxyType({})
"""Allowances where every task may be fetched without a bound of its own."""


@dataclass(frozen=True, slots=True)
class Watched:
    """Queues, most urgent first, and their lists: ``steps`` a queue, by kombu's priorities."""

    queues: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    steps: int = 1

    @property
    def urgent(self) -> Watched:
        """The part of it that has the most urgent priority; it comes first.

        >>> Watched(("a.high", "b.bulk"), ("a", "a3", "b", "b3"), 2).urgent.lists
        ('a', 'a3')
        """
        count = sum(1 for queue in self.queues if split_queue_name(queue)[1] is Priority.HIGH)
        return Watched(self.queues[:count], self.lists[: count * self.steps], self.steps)

    def queue_of(self, place: int) -> str:
        """Queue of the list at ``place``.

        >>> Watched(("a", "b"), ("a", "a3", "b", "b3"), 2).queue_of(2)
        'b'
        """
        return self.queues[place // self.steps]

    def task_of(self, place: int) -> str:
        """Task of the list at ``place``.

        >>> Watched(("a.high", "b.bulk"), ("a", "a3", "b", "b3"), 2).task_of(2)
        'b'
        """
        return split_queue_name(self.queue_of(place))[0]

    def allowed(self, allowances: Mapping[str, int]) -> Watched:
        """The part of it from which a message may be fetched, by the allowances of tasks.

        >>> watched = Watched(("a.high", "b.high", "a.bulk"), ("ah", "bh", "ab"))
        >>> watched.allowed({"a": 0, "c": 0}).lists, watched.allowed({"a": 1}) is watched
        (('bh',), True)
        """
        if all(allowances.values()):
            return self
        places = [
            place for place in range(len(self.lists)) if allowances.get(self.task_of(place), 1) > 0
        ]
        return Watched(
            tuple(self.queue_of(place) for place in places[:: self.steps]),
            tuple(self.lists[place] for place in places),
            self.steps,
        )

    def is_within(self, other: Watched) -> bool:
        """Whether all its lists are among those of another."""
        begins_it = self.lists == other.lists[: len(self.lists)]
        return begins_it or set(self.lists) <= set(other.lists)

    def quotas(
        self,
        lengths: Sequence[int],
        room: int,
        turn: int,
        allowances: Mapping[str, int] = NO_LIMITS,
    ) -> list[int]:
        """Messages to take from each list: by weight between queues, by step within one.

        Queues of a task with an allowance share that in the same way.

        >>> watched = Watched(("t.high", "t.bulk"), ("h", "h3", "b", "b3"), 2)
        >>> watched.quotas([10, 100, 3, 0], 17, 0)
        [10, 6, 1, 0]
        >>> watched.quotas([10, 100, 3, 0], 17, 0, {"t": 3})
        [2, 0, 1, 0]
        """
        steps = self.steps
        totals = [sum(lengths[first : first + steps]) for first in range(0, len(lengths), steps)]
        weights = [weight_of(queue) for queue in self.queues]
        for task, most in allowances.items():
            mine = [
                number
                for number, queue in enumerate(self.queues)
                if split_queue_name(queue)[0] == task
            ]
            shares = plan([totals[one] for one in mine], [weights[one] for one in mine], most, turn)
            for one, share in zip(mine, shares, strict=True):
                totals[one] = share
        quotas: list[int] = []
        for place, left in enumerate(plan(totals, weights, room, turn)):
            for length in lengths[place * steps : (place + 1) * steps]:
                quotas.append(min(left, length))
                left -= quotas[-1]
        return quotas
