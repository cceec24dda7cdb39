"""One item that raises costs only itself, and few forward passes; the device's faults."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from workers.device_faults import DeviceFault
from workers.outcomes import Done, Failed
from workers.runner import bisecting


class Part:
    """As much of an item as bisecting looks at."""

    class job:
        class claim:
            id = "job_1"

    def __init__(self, number: int, poison: bool = False) -> None:
        self.number = number
        self.poison = poison


def nothing() -> None:
    pass


@pytest.mark.parametrize("culprit", range(32))
def test_thirty_one_of_thirty_two(culprit: int) -> None:
    passes = 0

    def compute(items: Sequence[Any], prepared: Any) -> Sequence[Any]:
        nonlocal passes
        passes += 1
        if any(item.poison for item in items):
            raise ValueError("poison")
        return [{"score": float(item.number)} for item in items]

    items: list[Any] = [Part(number, number == culprit) for number in range(32)]
    outcomes = bisecting(items, None, compute, nothing)
    for number, outcome in enumerate(outcomes):
        if number == culprit:
            assert outcome == Failed("model_error", "the model raised ValueError")
        else:
            assert outcome == Done({"score": float(number)})
    assert passes <= 2 * math.log2(32) + 1


def test_out_of_memory_halves_until_it_fits() -> None:
    told = 0

    def tell() -> None:
        nonlocal told
        told += 1

    def compute(items: Sequence[Any], prepared: Any) -> Sequence[Any]:
        if len(items) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [{"score": float(item.number)} for item in items]

    items: list[Any] = [Part(number) for number in range(32)]
    outcomes = bisecting(items, None, compute, tell)
    assert outcomes == [Done({"score": float(number)}) for number in range(32)]
    assert told == 3  # 32, and both of its halves


def test_an_item_too_large_for_the_memory_fails_alone() -> None:
    def compute(items: Sequence[Any], prepared: Any) -> Sequence[Any]:
        if any(item.poison for item in items):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [{} for _ in items]

    items: list[Any] = [Part(0), Part(1, poison=True)]
    good, bad = bisecting(items, None, compute, nothing)
    assert good == Done({})
    assert bad == Failed("model_error", "the model raised OutOfMemoryError")


def test_a_broken_context_is_not_bisected() -> None:
    def compute(items: Sequence[Any], prepared: Any) -> Sequence[Any]:
        raise RuntimeError("CUDA error: device-side assert triggered")

    items: list[Any] = [Part(0), Part(1)]
    with pytest.raises(DeviceFault):
        bisecting(items, None, compute, nothing)


def test_what_was_made_ready_serves_the_whole_and_halves_are_made_anew() -> None:
    seen: list[tuple[int, Any]] = []

    def compute(items: Sequence[Any], prepared: Any) -> Sequence[Any]:
        seen.append((len(items), prepared))
        if len(items) > 1:
            raise ValueError("poison")
        return [{} for _ in items]

    items: list[Any] = [Part(0), Part(1)]
    bisecting(items, "ready", compute, nothing)
    assert seen == [(2, "ready"), (1, None), (1, None)]
