"""Encoding ahead of the model: urgent first, in chunks, and one bad input alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from lepton_tasks.queues import Priority
from tests.support.held import held
from workers.held import Input
from workers.outcomes import CANCELLED, ENCODING_FAILED, ENCODING_TIMEOUT, Failed
from workers.preparer import CHUNK_CHARACTERS, Preparer
from workers.work import WorkQueue

WAIT = 30.0


class Failures:
    def __init__(self) -> None:
        self.seen: list[tuple[str, Failed]] = []

    def fail(self, inputs: Sequence[Input], why: Failed) -> None:
        self.seen += [(one.text, why) for one in inputs]


class Bench:
    def __init__(self, seconds: float = 30.0) -> None:
        self.queue = WorkQueue(list, lambda lane: 10_000)
        self.failures = Failures()
        self.preparer = Preparer(self.queue.add, self.queue.prepare_next, self.failures, seconds)

    def run_until(self, done: Any) -> None:
        self.preparer.start()
        end = time.monotonic() + WAIT
        while not done():
            assert time.monotonic() < end
            time.sleep(0.01)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.preparer.close()


def test_items_come_out_tokenised(bench: Bench) -> None:
    bench.preparer.add([held("你好", "Good morning", "好")])
    assert len(bench.preparer) == 3
    bench.run_until(lambda: len(bench.queue) == 3)
    batch = bench.queue.take(1.0)
    assert batch is not None
    assert [(one.place, one.encoded.length) for one in batch.items] == [(2, 1), (0, 2), (1, 12)]


def test_urgent_inputs_are_encoded_first(bench: Bench) -> None:
    bench.preparer.add([held(*("x" * 9000 for _ in range(4)), priority=Priority.BULK)])
    bench.preparer.add([held("urgent", priority=Priority.HIGH)])
    bench.run_until(lambda: len(bench.queue) >= 1)
    assert len(bench.preparer) <= 4
    batch = bench.queue.take(1.0)
    assert batch is not None
    assert batch.items[0].rank == 0


def test_one_bad_input_fails_alone(bench: Bench) -> None:
    bench.preparer.add([held("good", "bad one", "fine")])
    bench.run_until(lambda: len(bench.queue) == 2 and bench.failures.seen)
    assert bench.failures.seen == [("bad one", ENCODING_FAILED)]


def test_one_slow_input_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(seconds=0.3)
    job = held("good", "slow", "fine")
    encode = type(job.task).encode

    def slow_encode(task: Any, text: str, options: Any) -> Any:
        if text == "slow":
            time.sleep(1.0)
        return encode(task, text, options)

    monkeypatch.setattr(type(job.task), "encode", slow_encode)
    bench.preparer.add([job])
    bench.run_until(lambda: len(bench.queue) == 2 and bench.failures.seen)
    assert bench.failures.seen == [("slow", ENCODING_TIMEOUT)]
    bench.preparer.close()


def test_a_cancelled_job_is_not_encoded(bench: Bench) -> None:
    job = held("good")
    job.cancelled = True
    bench.preparer.add([job])
    bench.run_until(lambda: bench.failures.seen)
    assert bench.failures.seen == [("good", CANCELLED)]


def test_close_gives_back_what_was_not_encoded() -> None:
    bench = Bench()
    job = held("a" * CHUNK_CHARACTERS, "b")
    bench.preparer.add([job])
    bench.preparer._thread.start()
    left = bench.preparer.close()
    assert left in ([job], [])
    assert len(bench.preparer) == 0
    waiting = len(bench.queue.close())
    assert waiting in (0, 1, 2)
    assert (waiting == 2) == (left == [])


def test_the_next_micro_batch_is_made_ready_when_the_model_takes_one(bench: Bench) -> None:
    bench.preparer.add([held("one")])
    bench.run_until(lambda: len(bench.queue) == 1)
    bench.preparer.wake()
    end = time.monotonic() + WAIT
    while bench.queue._ahead is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    batch = bench.queue.take(1.0)
    assert batch is not None
    assert batch.prepared == batch.items
