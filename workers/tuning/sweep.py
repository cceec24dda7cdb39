"""Measuring a lane over threads and padded-token budgets, within a few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import torch

from lepton_tasks.nlp.base import ModelInput
from workers.batcher import Batcher
from workers.device_faults import is_out_of_memory
from workers.engines.base import Encoded, Engine, Lane
from workers.errors import ModelError
from workers.tuning.choice import MOST_SECONDS, Point

LaneItem: TypeAlias = tuple[Engine, Encoded]
"""What a lane prepares micro-batches of."""

BUDGETS: Final = tuple(256 << doublings for doublings in range(7))
"""Padded tokens that are tried, smallest first: 256 to 16,384."""
MIX_SIZE: Final = 512
"""Texts of the mix: enough tokens to fill the largest budget."""
_FALL = 0.9
"""A thread count is given up below this share of its best rate, well outside noise."""
_HOPELESS = 1 / 3
"""Or below this share of the best rate at the same budget, as when its cores are taken."""
_LOOK_AT_EVERY = 16


@dataclass(frozen=True, slots=True)
class Sweeper:
    """How a sweep is done: which thread counts, and for how long at most.

    ``limit_seconds`` is kept by leaving out larger budgets, but the smallest is always
    measured. ``set_threads`` and ``clock`` (seconds) are given by tests.
    """

    threads: Sequence[int]
    limit_seconds: float
    most_seconds: float = MOST_SECONDS
    set_threads: Callable[[int], None] = torch.set_num_threads
    clock: Callable[[], float] = time.perf_counter

    def sweep(self, lane: Lane, items: Sequence[LaneItem]) -> list[Point]:
        """Measure ``lane.compute`` on micro-batches that the batcher forms from ``items``.

        Every point is the best of at least two measurements, and the thread counts of
        a budget take turns, so a disturbance meets all of them. Larger budgets are
        left out for a thread count once its rate falls, is far behind, or its
        micro-batch takes longer than ``most_seconds``, and for all once memory runs
        out. Only the forward pass is timed: tokenising has a thread of its own.

        The thread count of the process is left at whatever was measured last.

        Raises:
            ModelError: there is no memory even for the smallest budget.
        """
        began = self.clock()
        mean_tokens = sum(one.length for _, one in items) / len(items)
        points: list[Point] = []
        best: dict[int, float] = dict.fromkeys(self.threads, 0.0)
        filled = 0
        for budget in BUDGETS:
            batch = micro_batch(items, budget)
            tokens = sum(one.length for _, one in batch)
            rounds = _rounds(budget)
            left = self.limit_seconds - (self.clock() - began)
            if points and (len(batch) == filled or self._expected(best, tokens * rounds) > left):
                break
            filled = len(batch)
            try:
                seconds = self._measure(lane, batch, list(best), rounds)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                return [*points, *_without_memory(list(best), budget, points)]
            quickest = min(seconds.values())
            for threads, took in seconds.items():
                rate = tokens / took
                points.append(Point(threads, budget, rate, rate / mean_tokens, took))
                behind = rate < _FALL * best[threads] or took > quickest / _HOPELESS
                best[threads] = max(best[threads], rate)
                if behind or took > self.most_seconds:
                    del best[threads]
            if not best:
                break
        return points

    def _measure(
        self, lane: Lane, batch: Sequence[LaneItem], counts: Sequence[int], rounds: int
    ) -> dict[int, float]:
        seconds: dict[int, float] = {}
        for _ in range(rounds):
            for threads in counts:
                prepared = lane.prepare(batch)
                self.set_threads(threads)
                began = self.clock()
                lane.compute(prepared)
                took = max(self.clock() - began, 1e-9)
                seconds[threads] = min(took, seconds.get(threads, took))
        return seconds

    @staticmethod
    def _expected(best: Mapping[int, float], tokens: int) -> float:
        return sum(tokens / rate for rate in best.values())


def micro_batch(items: Sequence[LaneItem], budget: int) -> list[LaneItem]:
    """The micro-batch that the batcher forms around the text at the middle of all tokens.

    Half of the mix's tokens are in shorter texts and half in longer ones, so every
    budget is measured on texts like these.

    >>> items = [(None, Encoded(length, None)) for length in (3, 40, 9, 10, 20)]
    >>> [one.length for _, one in micro_batch(items, budget=60)]
    [9, 10, 20]
    """
    ordered = sorted(items, key=lambda item: item[1].length)
    half = sum(one.length for _, one in ordered) / 2
    middle = 0
    while half > ordered[middle][1].length:
        half -= ordered[middle][1].length
        middle += 1
    batcher: Batcher[LaneItem] = Batcher()
    for item in (ordered[middle], *ordered[:middle], *ordered[middle + 1 :]):
        batcher.add(item, length=item[1].length, rank=0, lane="")
    return batcher.take(budget)


def costliest(mixes: Sequence[tuple[Engine, Sequence[ModelInput]]]) -> list[LaneItem]:
    """Return the mix that costs the device most, by the engines' own token counts, encoded.

    A model may serve one language with an encoder and another by table look-up, and
    the tasks of a lane have texts of different lengths; the budget must suit the worst.
    """

    def tokens(mix: tuple[Engine, Sequence[ModelInput]]) -> float:
        engine, inputs = mix
        seen = engine.tokenize(inputs[::_LOOK_AT_EVERY])
        return sum(one.length for one in seen) / len(seen)

    engine, inputs = max(mixes, key=tokens)
    return [(engine, one) for one in engine.tokenize(inputs)]


def thread_counts(cores: int) -> list[int]:
    """Powers of two up to ``cores``, and ``cores``.

    >>> thread_counts(2), thread_counts(12)
    ([1, 2], [1, 2, 4, 8, 12])
    """
    return sorted({1 << bits for bits in range(cores.bit_length())} | {cores})


def _rounds(budget: int) -> int:
    """Repeats of a point: more where they are cheap.

    >>> [_rounds(budget) for budget in (256, 512, 1024)]
    [4, 2, 2]
    """
    return max(2, min(4, 1024 // budget))


def _without_memory(counts: Sequence[int], budget: int, points: Sequence[Point]) -> list[Point]:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if not points:
        raise ModelError(
            f"the device has no memory for a micro-batch of {budget} padded tokens; "
            "free some, or choose another with LEPTON_DEVICE"
        )
    return [Point(threads, budget, 0.0, 0.0, 0.0, out_of_memory=True) for threads in counts]
