"""Encoding ahead of the model: urgent first, in chunks, and one bad input alone."""

from __future__ import annotations

import mmap
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lepton_tasks.crashes import Crashes
from lepton_tasks.errors import InvalidInput
from lepton_tasks.in_work import InWork
from lepton_tasks.queues import Priority
from lepton_tasks.supervisor.progress import (
    PROGRESS_BYTES,
    PROGRESS_VARIABLE,
    LastWords,
    ProgressReader,
)
from tests.support.held import held
from workers.errors import InputRefused
from workers.held import Input
from workers.outcomes import CANCELLED, ENCODING_FAILED, ENCODING_TIMEOUT, Failed
from workers.preparer import CHUNK_CHARACTERS, Preparer
from workers.progress import Progress, open_progress
from workers.work import WorkQueue

WAIT = 30.0


class Failures:
    def __init__(self) -> None:
        self.seen: list[tuple[str, Failed]] = []

    def fail(self, inputs: Sequence[Input], why: Failed) -> None:
        self.seen += [(one.value, why) for one in inputs]


class Bench:
    def __init__(self, seconds: float = 30.0) -> None:
        self.queue = WorkQueue(list, lambda lane: 10_000)
        self.failures = Failures()
        self.progress = Progress(mmap.mmap(-1, PROGRESS_BYTES))
        self.preparer = Preparer(
            self.queue.add,
            self.queue.prepare_next,
            self.failures,
            seconds,
            self.progress.encoding,
        )

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


def test_each_version_of_a_model_encodes_its_own_inputs(bench: Bench) -> None:
    by_engine: list[list[Any]] = []
    jobs = [held("好", revision=revision) for revision in ("old", "new", "old")]
    bench.preparer.add(jobs)
    bench.preparer._sink = lambda items: by_engine.append([one.job for one in items])
    bench.run_until(lambda: len(by_engine) == 2)
    assert sorted(map(len, by_engine)) == [1, 2]
    assert jobs[1] in next(group for group in by_engine if len(group) == 1)


def test_one_bad_input_fails_alone(bench: Bench) -> None:
    bench.preparer.add([held("good", "bad one", "fine")])
    bench.run_until(lambda: len(bench.queue) == 2 and bench.failures.seen)
    assert bench.failures.seen == [("bad one", ENCODING_FAILED)]


def test_an_engine_may_say_why_it_refuses_an_input(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = held("good", "odd")
    encode = type(job.task).encode

    def refusing(task: Any, text: str, options: Any) -> Any:
        if text == "odd":
            raise InputRefused("too_odd", "only even texts are taken")
        return encode(task, text, options)

    monkeypatch.setattr(type(job.task), "encode", refusing)
    bench.preparer.add([job])
    bench.run_until(lambda: len(bench.queue) == 1 and bench.failures.seen)
    assert bench.failures.seen == [("odd", Failed("too_odd", "only even texts are taken"))]


def test_what_a_task_refuses_says_why(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    job = held("good", "other", "fine")
    encode = type(job.task).encode

    def choosy(task: Any, text: str, options: Any) -> Any:
        if text == "other":
            raise InvalidInput("this pair is not served", "target", "unsupported_pair")
        return encode(task, text, options)

    monkeypatch.setattr(type(job.task), "encode", choosy)
    bench.preparer.add([job])
    bench.run_until(lambda: len(bench.queue) == 2 and bench.failures.seen)
    assert bench.failures.seen == [("other", Failed("unsupported_pair", "this pair is not served"))]


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


def test_a_suspects_inputs_come_one_by_one_and_what_crashed_before_first(bench: Bench) -> None:
    suspect = held("a", "b", "c", "d", crashes=Crashes({1: 3, 2: 1}))
    bench.preparer.start()
    order = []
    for _ in range(3):
        bench.preparer.add([suspect])
        bench.preparer.add([suspect])  # one that is under way is not begun again
        end = time.monotonic() + WAIT
        while not len(bench.queue):
            assert time.monotonic() < end
            time.sleep(0.01)
        batch = bench.queue.take(1.0)
        assert batch is not None
        [item] = batch.items
        order.append(item.place)
        bench.preparer.add([suspect])
        assert len(bench.preparer) + len(bench.queue) == 0
        suspect.complete(item.place, b"{}")
    assert order == [2, 0, 3]


def test_what_is_being_encoded_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = ProgressReader(tmp_path / "progress")
    monkeypatch.setenv(PROGRESS_VARIABLE, str(reader.path))
    progress = open_progress()
    progress.name("worker_1")
    job = held("good", "fine")
    seen: list[LastWords | None] = []
    encode = type(job.task).encode

    def looking(task: Any, text: str, options: Any) -> Any:
        seen.append(reader.last_words())
        return encode(task, text, options)

    monkeypatch.setattr(type(job.task), "encode", looking)
    queue = WorkQueue(list, lambda lane: 10_000)
    preparer = Preparer(queue.add, queue.prepare_next, Failures(), 30.0, progress.encoding)
    preparer.add([job])
    preparer.start()
    end = time.monotonic() + WAIT
    while len(queue) < 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    preparer.close()
    assert seen == [LastWords("worker_1", InWork.of([("job", 0), ("job", 1)]))] * 2
    assert reader.last_words() == LastWords("worker_1", InWork.of([]))
