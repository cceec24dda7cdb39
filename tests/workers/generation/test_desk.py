"""A desk at the end of its worker: what ends in time, what does not, and what cannot any more."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lepton_tasks.nlp.generating import GenerationInput, GenerationSpec
from tests.support.held import Ignored, held
from tests.workers.generation.conftest import LIMITS
from workers.engines.base import Encoded
from workers.generation.desk import Desk
from workers.generation.engine import Prompt
from workers.generation.generator import Generator
from workers.generation.model import DecoderModel
from workers.held import HeldJob, Item
from workers.outcomes import Done, Outcome

PATIENCE = 60.0


class Bench:
    """A desk over a real generator whose steps the test counts out."""

    def __init__(self, model: DecoderModel) -> None:
        self.answers: queue.Queue[tuple[Item, Outcome]] = queue.Queue()
        self.steps = threading.Semaphore(0)
        self.free = threading.Event()
        self.stepped = threading.Semaphore(0)
        nobody: Any = Ignored()
        finisher: Any = self
        limits = LIMITS.model_copy(update={"most_running": 2})
        generator = Generator(model, limits, self._may_step)
        self.desk = Desk(generator, finisher, nobody, nobody, lambda job_id: False)

    def _may_step(self) -> bool:
        if not self.free.is_set() and not self.steps.acquire(timeout=0.05):
            return False
        self.stepped.release()
        return True

    def step(self, count: int) -> None:
        for _ in range(count):
            self.steps.release()
            assert self.stepped.acquire(timeout=PATIENCE)

    def put(self, answers: list[tuple[Item, Outcome]]) -> None:
        for answer in answers:
            self.answers.put(answer)

    def write(self, job: HeldJob, new: int) -> None:
        spec = GenerationSpec(max_new_tokens=new)
        for place in range(len(job.outputs)):
            given = GenerationInput("今天", "zh", spec)
            self.desk.add([Item(job, place, given, Encoded(3, Prompt([5, 6, 7], given)))])

    def ended(self) -> tuple[HeldJob, int, str]:
        item, outcome = self.answers.get(timeout=PATIENCE)
        assert isinstance(outcome, Done)
        return item.job, item.place, outcome.raw["finish_reason"]


@pytest.fixture
def bench(llama: DecoderModel) -> Iterator[Bench]:
    bench = Bench(llama)
    bench.desk.start()
    yield bench
    bench.free.set()
    bench.desk.stop()


def in_a_thread(work: Callable[[], list[HeldJob]]) -> queue.Queue[list[HeldJob]]:
    result: queue.Queue[list[HeldJob]] = queue.Queue()
    threading.Thread(target=lambda: result.put(work()), daemon=True).start()
    return result


def test_what_is_being_written_ends_in_the_grace(bench: Bench) -> None:
    first, second, waits = held("a", job_id="a"), held("b", job_id="b"), held("c", job_id="c")
    bench.write(first, new=6)
    bench.write(second, new=9)
    bench.write(waits, new=2)
    bench.step(3)
    assert bench.desk.close(time.monotonic() + PATIENCE) == [waits], "given back at once"
    left = in_a_thread(bench.desk.stop)
    bench.free.set()
    assert left.get(timeout=PATIENCE) == []
    assert [bench.ended(), bench.ended()] == [(first, 0, "length"), (second, 0, "length")]
    assert bench.answers.empty()
    assert len(bench.desk) == 0


def test_what_does_not_end_in_time_is_given_back(bench: Bench) -> None:
    short, long = held("a", job_id="a"), held("b", job_id="b")
    bench.write(short, new=4)
    bench.write(long, new=400)
    bench.step(2)
    assert bench.desk.close(time.monotonic()) == []
    assert set(bench.desk.stop()) == {short, long}
    assert bench.answers.empty()


def test_a_job_that_has_begun_in_part_is_given_back_whole_and_once(bench: Bench) -> None:
    several, other = held("a", "b", "c", job_id="a"), held("d", job_id="d")
    bench.write(several, new=400)
    bench.write(other, new=4)
    bench.step(3)
    assert set(bench.desk.close(time.monotonic() + PATIENCE)) == {several, other}
    bench.free.set()
    assert bench.desk.stop() == [], "its other texts are cut short"
    assert bench.answers.empty(), "and nobody is told of them"
