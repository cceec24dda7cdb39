"""The queues a channel consumes, their Redis lists, and what a fetch takes from each list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lepton_tasks.queues import Priority, split_queue_name
from lepton_tasks.transport.quota import plan, weight_of


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

    def quotas(self, lengths: Sequence[int], room: int, turn: int) -> list[int]:
        """Messages to take from each list: by weight between queues, by step within one.

        >>> watched = Watched(("t.high", "t.bulk"), ("h", "h3", "b", "b3"), 2)
        >>> watched.quotas([10, 100, 3, 0], 17, 0)
        [10, 6, 1, 0]
        """
        steps = self.steps
        totals = [sum(lengths[first : first + steps]) for first in range(0, len(lengths), steps)]
        weights = [weight_of(queue) for queue in self.queues]
        quotas: list[int] = []
        for place, left in enumerate(plan(totals, weights, room, turn)):
            for length in lengths[place * steps : (place + 1) * steps]:
                quotas.append(min(left, length))
                left -= quotas[-1]
        return quotas
