"""How many messages a fetch takes from each queue: shares by weight, no share wasted.

Strict priority would starve the bulk queues for as long as anything urgent waits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from lepton_tasks.queues import Priority, split_queue_name

WEIGHTS: Final = {Priority.HIGH: 16, Priority.NORMAL: 4, Priority.BULK: 1}
"""Shares of a fetch while queues of all priorities hold more than it takes."""


def weight_of(queue: str) -> int:
    """Weight of a queue, from the priority in its name.

    >>> [weight_of(name) for name in ("moderation.high", "moderation.bulk", "celery")]
    [16, 1, 4]
    """
    return WEIGHTS[split_queue_name(queue)[1]]


def plan(lengths: Sequence[int], weights: Sequence[int], room: int, turn: int) -> list[int]:
    """Number of messages to take from each queue, ``min(room, sum(lengths))`` in all.

    A queue shorter than its share is taken whole, and the others share what it
    leaves. Shares are rounded up or down by ``turn``, a counter of fetches, so that
    they are exact over every run of ``sum(weights)`` turns on the same backlog:
    also where there is room for one message at a time, no queue waits for ever.

    >>> plan([1000, 1000, 1000], [16, 4, 1], 21, 0)
    [16, 4, 1]
    >>> plan([2, 1000, 1000], [16, 4, 1], 21, 0)
    [2, 15, 4]
    >>> plan([0, 0, 5], [16, 4, 1], 21, 0)
    [0, 0, 5]
    >>> one_at_a_time = [plan([9, 9, 9], [16, 4, 1], 1, turn) for turn in range(21)]
    >>> [sum(taken) for taken in zip(*one_at_a_time)]
    [16, 4, 1]
    """
    taken = [0] * len(lengths)
    left = min(room, sum(lengths))
    crowded = [place for place, length in enumerate(lengths) if length]
    while crowded and left > 0:
        total = sum(weights[place] for place in crowded)
        short = [place for place in crowded if lengths[place] * total <= left * weights[place]]
        if not short:
            _share(taken, crowded, weights, left, _phase(turn, total))
            break
        for place in short:
            taken[place] = lengths[place]
        left -= sum(lengths[place] for place in short)
        crowded = [place for place in crowded if place not in short]
    return taken


def _share(
    taken: list[int], places: Sequence[int], weights: Sequence[int], left: int, phase: int
) -> None:
    # Systematic sampling: the shares lie end to end on a line, and a queue gets as
    # many messages as there are whole numbers within its stretch of it.
    total = sum(weights[place] for place in places)
    edge = phase
    for place in places:
        start = edge // total
        edge += left * weights[place]
        taken[place] = edge // total - start


def _phase(turn: int, total: int) -> int:
    # A step coprime to the total visits every phase once in a cycle; one near the
    # golden section keeps each queue's turns evenly apart.
    step = max(1, round(total * 0.618))
    while math.gcd(step, total) != 1:
        step += 1
    return turn * step % total
