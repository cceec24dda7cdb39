"""The sweep over a lane whose cost is known: a clock that only forward passes move."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch

from lepton_tasks.nlp.base import ModelInput
from workers.engines.base import Encoded, Lane, LaneKey, Raw
from workers.errors import ModelError
from workers.tuning.choice import choose
from workers.tuning.sweep import BUDGETS, LaneItem, Sweeper, costliest, micro_batch

Cost = Callable[[int, int], float]


class Machine(Lane):
    """A lane, its clock and an engine. ``cost`` gives the seconds for (threads, padded tokens)."""

    name = "machine"
    revision = "1"
    key = LaneKey("machine", "1", "cpu", "float32")

    def __init__(self, cost: Cost, memory: int = 1 << 30) -> None:
        self.now = 0.0
        self.passes = 0
        self._cost = cost
        self._memory = memory
        self._threads = 0

    @property
    def lane(self) -> Lane:
        return self

    def tensors(self) -> Iterator[torch.Tensor]:
        return iter(())

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        return [Encoded(len(one.text), None) for one in inputs]

    def compute(self, prepared: Sequence[LaneItem]) -> list[Raw]:
        padded = len(prepared) * max(one.length for _, one in prepared)
        if padded > self._memory:
            raise torch.OutOfMemoryError("out of memory")
        self.passes += 1
        self.now += self._cost(self._threads, padded)
        return [{} for _ in prepared]

    def forward(self, batch: Sequence[Any]) -> list[Raw]:
        raise AssertionError("the sweep prepares and computes")

    def sweeper(self, *threads: int, limit: float = 1e9, most: float = 0.5) -> Sweeper:
        return Sweeper(threads, limit, most, self._set_threads, lambda: self.now)

    def items(self, length: int = 16, count: int = 2048) -> list[LaneItem]:
        return [(self, Encoded(length, None)) for _ in range(count)]

    def _set_threads(self, threads: int) -> None:
        self._threads = threads


def texts(length: int, count: int = 64) -> list[ModelInput]:
    return [ModelInput("x" * length, "en") for _ in range(count)]


def test_a_rising_curve_is_followed_to_the_largest_budget() -> None:
    machine = Machine(lambda threads, tokens: 0.01 + tokens / 1e6)
    points = machine.sweeper(1).sweep(machine, machine.items())
    assert [point.budget for point in points] == list(BUDGETS)
    best = points[-1]
    assert best.seconds == pytest.approx(0.01 + 16_384 / 1e6)
    assert best.tokens_per_second == pytest.approx(16_384 / best.seconds)
    assert best.texts_per_second == pytest.approx(best.tokens_per_second / 16)
    assert choose(points) == best


def test_a_falling_rate_ends_the_sweep_of_its_thread_count() -> None:
    def cost(threads: int, tokens: int) -> float:
        rate = 8_000 if threads == 2 else 6_000 / (1 + tokens / 1024)
        return tokens / rate

    machine = Machine(cost)
    points = machine.sweeper(1, 2).sweep(machine, machine.items())
    assert [point.budget for point in points if point.threads == 1] == [256, 512]
    assert max(point.budget for point in points if point.threads == 2) > 512
    assert (choose(points).threads, choose(points).budget) == (2, 256)


def test_a_hopeless_thread_count_is_measured_once() -> None:
    machine = Machine(lambda threads, tokens: tokens / (8_000 if threads == 1 else 400))
    points = machine.sweeper(1, 2, most=100.0).sweep(machine, machine.items())
    assert [point.budget for point in points if point.threads == 2] == [256]


def test_no_budget_above_the_longest_micro_batch() -> None:
    machine = Machine(lambda threads, tokens: tokens / 4_000)
    points = machine.sweeper(1).sweep(machine, machine.items())
    assert [point.budget for point in points] == [256, 512, 1024, 2048, 4096][:4]
    assert choose(points).seconds <= 0.5


def test_the_time_limit_is_kept() -> None:
    machine = Machine(lambda threads, tokens: tokens / 1_000)
    points = machine.sweeper(1, 2, limit=6.0, most=100.0).sweep(machine, machine.items())
    assert points
    assert machine.now <= 6.0


def test_every_point_is_measured_at_least_twice() -> None:
    machine = Machine(lambda threads, tokens: 0.01)
    points = machine.sweeper(1, 2).sweep(machine, machine.items())
    assert machine.passes >= 2 * len(points)


def test_a_disturbed_measurement_does_not_count() -> None:
    passes = 0

    def cost(threads: int, tokens: int) -> float:
        nonlocal passes
        passes += 1
        return tokens / (8_000 if passes % 2 else 100)

    machine = Machine(cost)
    for point in machine.sweeper(1).sweep(machine, machine.items()):
        assert point.tokens_per_second == pytest.approx(8_000)


def test_out_of_memory_is_marked_and_never_chosen() -> None:
    machine = Machine(lambda threads, tokens: 0.1, memory=1024)
    points = machine.sweeper(1).sweep(machine, machine.items())
    assert [(point.budget, point.out_of_memory) for point in points] == [
        (256, False),
        (512, False),
        (1024, False),
        (2048, True),
    ]
    assert choose(points).budget == 1024


def test_no_memory_at_all_says_what_to_do() -> None:
    machine = Machine(lambda threads, tokens: 0.1, memory=100)
    with pytest.raises(ModelError, match="LEPTON_DEVICE"):
        machine.sweeper(1).sweep(machine, machine.items())


def test_a_fault_that_is_not_memory_is_raised() -> None:
    def cost(threads: int, tokens: int) -> float:
        raise RuntimeError("weights are broken")

    machine = Machine(cost)
    with pytest.raises(RuntimeError, match="weights are broken"):
        machine.sweeper(1).sweep(machine, machine.items())


def test_a_mix_too_small_to_fill_larger_budgets_ends_the_sweep() -> None:
    machine = Machine(lambda threads, tokens: 0.01)
    points = machine.sweeper(1).sweep(machine, machine.items(length=1, count=300))
    assert [point.budget for point in points] == [256, 512]


def test_the_micro_batch_fits_its_budget_and_holds_the_middle_text() -> None:
    machine = Machine(lambda threads, tokens: 0.01)
    items: list[LaneItem] = [(machine, Encoded(length, None)) for length in range(1, 200)]
    for budget in BUDGETS[:4]:
        lengths = [one.length for _, one in micro_batch(items, budget)]
        assert max(lengths) * len(lengths) <= budget
        assert 141 in lengths


def test_the_costliest_mix_of_a_lane_is_measured() -> None:
    machine, other = (Machine(lambda threads, tokens: 0.01) for _ in range(2))
    mixes = [(machine, texts(2)), (other, texts(30)), (machine, texts(9, count=900))]
    found = costliest(mixes)
    assert {engine for engine, _ in found} == {other}
    assert [one.length for _, one in found] == [30] * 64
