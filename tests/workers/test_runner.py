"""One item that raises costs only itself, and few forward passes; the device's faults."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from lepton_tasks.supervisor.progress import PROGRESS_VARIABLE, ProgressReader
from tests.support.held import Ignored, held, items_of
from workers.budget import LaneBudgets
from workers.device_faults import DeviceFault
from workers.engines.base import Encoded, Lane
from workers.errors import TemporaryFailure
from workers.held import HeldJob
from workers.outcomes import Done, Failed
from workers.progress import Progress, open_progress
from workers.runner import Runner, bisecting, prepare
from workers.work import WorkQueue


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
    assert bad == Failed("out_of_memory", "the device had no memory left for it", retryable=True)


def test_what_is_away_for_now_is_not_asked_for_each_item() -> None:
    asked = 0

    def compute(items: Sequence[Any], prepared: Any) -> Sequence[Any]:
        nonlocal asked
        asked += 1
        raise TemporaryFailure("connection refused by upstream")

    items: list[Any] = [Part(number) for number in range(8)]
    outcomes = bisecting(items, None, compute, nothing)
    assert asked == 1
    assert len(outcomes) == 8
    assert all(isinstance(one, Failed) and one.retryable for one in outcomes)


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


class Bench:
    """A runner whose engine looks at the progress file in each forward pass."""

    def __init__(self, progress: Progress, reader: ProgressReader) -> None:
        self.seen: list[list[str]] = []
        self.reader = reader
        self.queue = WorkQueue(prepare, lambda lane: 10_000)
        ignored: Any = Ignored()
        budgets: LaneBudgets[Lane] = LaneBudgets(lambda lane: 10_000, 10.0)
        self.runner = Runner(
            self.queue, ignored, ignored, budgets, progress, bool, lambda job: False, lambda: None
        )

    def named(self) -> list[str]:
        last = self.reader.last_words()
        assert last is not None
        return sorted(f"{job} {p}" for job, all_of in last.in_work.places.items() for p in all_of)

    def run(self, *jobs: HeldJob) -> None:
        for job in jobs:
            engine: Any = job.engine
            engine.forward = self._forward
            self.queue.add(items_of(job))
        batch = self.queue.take(0.0)
        assert batch is not None
        self.runner._run_batch(batch)

    def _forward(self, batch: Sequence[Encoded]) -> Sequence[Any]:
        self.seen.append(self.named())
        if any(one.length == 6 for one in batch):
            raise ValueError("poison")
        if any(one.length == 7 for one in batch):
            raise RuntimeError("CUDA error: device-side assert triggered")
        return [{} for _ in batch]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    reader = ProgressReader(tmp_path / "progress")
    monkeypatch.setenv(PROGRESS_VARIABLE, str(reader.path))
    progress = open_progress()
    progress.name("worker_1")
    return Bench(progress, reader)


def test_the_device_is_named_with_all_that_share_an_answer_and_narrowed(bench: Bench) -> None:
    bench.run(held("a", "same", job_id="one"), held("poison", "same", job_id="two"))
    assert bench.seen == [
        ["one 0", "one 1", "two 0", "two 1"],
        ["one 0"],
        ["one 1", "two 0", "two 1"],
        ["one 1", "two 1"],
        ["two 0"],
    ]
    assert bench.named() == []


def test_the_cause_of_a_broken_device_stays_named(bench: Bench) -> None:
    with pytest.raises(DeviceFault):
        bench.run(held("a", "assert!", job_id="one"))
    assert bench.named() == ["one 0", "one 1"]
