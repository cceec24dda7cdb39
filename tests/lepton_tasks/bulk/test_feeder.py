"""Cuts become shards once each, also after a crash and in a batch that was called back."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from lepton_tasks.bulk.feeder import Feeder, InFlight
from lepton_tasks.bulk.outcomes import CANCELLED
from lepton_tasks.bulk.plan import Plan
from lepton_tasks.bulk.reader import LineReader
from lepton_tasks.bulk.run import PlannedErrand
from lepton_tasks.bulk.shards import Slot, cut_lines
from lepton_tasks.queues import Priority
from lepton_tasks.store.tables import JobRow
from tests.lepton_tasks.bulk.conftest import Bench, MakePlan

BATCH = "batch_1"
TENANT = "default"
EVERYTHING = 1_000_000
jobs = JobRow.__table__  # type: ignore[attr-defined]


class Feeding:
    """A feeder of one batch, and what it has put into the store."""

    def __init__(self, bench: Bench, plan: Plan) -> None:
        self._bench = bench
        self._plan = plan
        bench.store.batches.create(TENANT, BATCH, plan.task.name, plan.priority, "in.jsonl")

    def feeder(
        self,
        reader: LineReader,
        first_cut: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> Feeder:
        producer, plan = self._bench.producer, self._plan
        errand = PlannedErrand(plan, producer, BATCH)
        cuts = cut_lines(reader, plan.shard_size)
        return Feeder(producer, errand, cuts, lambda: reader.position, first_cut, clock)

    def all_at_once(self, first_cut: int = 0) -> list[InFlight]:
        with self._plan.reader() as reader:
            feeder = self.feeder(reader, first_cut)
            flying = feeder.feed(EVERYTHING, threading.Event())
            assert feeder.exhausted
            return flying

    def stored(self) -> list[tuple[int, int]]:
        """Ordinal and inputs of the batch's jobs, by ordinal."""
        query = select(jobs.c.ordinal, jobs.c["items"]).order_by(jobs.c.ordinal)
        with self._bench.store.database.read() as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]


def rows(count: int) -> list[Any]:
    return [f"第 {number} 条" if number % 2 else f"line {number}" for number in range(count)]


def test_each_cut_is_one_shard_and_knows_where_its_outputs_go(
    bench: Bench, plan_for: MakePlan
) -> None:
    plan = plan_for([{"id": "a", "text": "好"}, 7, "fine", " ", 8, "end"], shard_size=2)
    feeding = Feeding(bench, plan)
    flying = feeding.all_at_once()
    assert [(one.number, one.ordinal) for one in flying] == [(0, 0), (1, 1), (2, 2)]
    assert [[slot.number for slot in one.slots] for one in flying] == [[1, 2], [3, 4], [5, 6]]
    assert flying[0].slots[0] == Slot(1, "a", None)
    assert [slot.problem is None for one in flying for slot in one.slots] == [
        True, False, True, False, False, True,
    ]  # fmt: skip
    assert feeding.stored() == [(0, 1), (1, 1), (2, 1)]
    [job_id, *_] = [job.id for job in bench.store.jobs.page(TENANT)]
    last = bench.store.jobs.get(TENANT, job_id)
    assert (last.batch_id, last.ordinal, last.single) == (BATCH, 2, False)
    assert last.priority is Priority.BULK


def test_lines_that_are_all_bad_make_no_shard(bench: Bench, plan_for: MakePlan) -> None:
    feeding = Feeding(bench, plan_for([1, 2, "good", 3, 4], shard_size=2))
    assert [one.ordinal for one in feeding.all_at_once()] == [None, 0, None]
    assert feeding.stored() == [(0, 1)]


def test_an_empty_file_is_exhausted_at_once(bench: Bench, plan_for: MakePlan) -> None:
    feeding = Feeding(bench, plan_for(b"\n\n"))
    assert feeding.all_at_once() == []
    assert feeding.stored() == []


def test_a_feed_ends_with_the_cut_that_fills_the_room(bench: Bench, plan_for: MakePlan) -> None:
    plan = plan_for(rows(10), shard_size=4)
    feeding = Feeding(bench, plan)
    stop = threading.Event()
    with plan.reader() as reader:
        feeder = feeding.feeder(reader)
        assert feeder.feed(0, stop) == []
        assert [one.number for one in feeder.feed(5, stop)] == [0, 1]
        assert not feeder.exhausted
        stop.set()
        assert feeder.feed(EVERYTHING, stop) == []
        assert not feeder.exhausted
        [last] = feeder.feed(EVERYTHING, threading.Event())
        assert (last.number, len(last.slots), feeder.exhausted) == (2, 2, True)
        assert last.position == plan.source.stat().st_size
        assert feeder.feed(EVERYTHING, threading.Event()) == []
    assert feeding.stored() == [(0, 4), (1, 4), (2, 2)]


def test_more_shards_than_a_transaction_takes(bench: Bench, plan_for: MakePlan) -> None:
    feeding = Feeding(bench, plan_for(rows(53), shard_size=1))
    flying = feeding.all_at_once()
    assert [one.number for one in flying] == list(range(53))
    assert feeding.stored() == [(number, 1) for number in range(53)]


@pytest.mark.parametrize("fed", [0, 3, 17, 40])
def test_after_a_crash_no_shard_is_submitted_twice(
    bench: Bench, plan_for: MakePlan, fed: int
) -> None:
    """``fed`` lines were submitted when the process died; its journal says nothing of them."""
    plan = plan_for(rows(40), shard_size=1)
    feeding = Feeding(bench, plan)
    with plan.reader() as reader:
        before = feeding.feeder(reader).feed(fed, threading.Event())
    flying = feeding.all_at_once()
    assert flying[: len(before)] == before
    assert [one.ordinal for one in flying] == list(range(40))
    assert feeding.stored() == [(number, 1) for number in range(40)]


def test_what_is_written_already_is_not_looked_at_again(bench: Bench, plan_for: MakePlan) -> None:
    plan = plan_for(["one", 7, "two", "three"], shard_size=1)
    feeding = Feeding(bench, plan)
    with plan.reader() as reader:
        feeding.feeder(reader).feed(3, threading.Event())
    assert [(one.number, one.ordinal) for one in feeding.all_at_once(first_cut=2)] == [
        (2, 1),
        (3, 2),
    ]
    assert feeding.stored() == [(0, 1), (1, 1), (2, 1)]


def test_a_cancelled_batch_gets_no_new_shards(bench: Bench, plan_for: MakePlan) -> None:
    plan = plan_for(["one", "two", "three", 7, "five"], shard_size=2)
    feeding = Feeding(bench, plan)
    with plan.reader() as reader:
        [first] = feeding.feeder(reader).feed(1, threading.Event())
    bench.store.batches.cancel(TENANT, BATCH)
    again, second, third = feeding.all_at_once()
    assert again == first  # its shard is in the store, and ends there
    assert (second.ordinal, third.ordinal) == (None, None)
    good, bad = second.slots
    assert good.problem == CANCELLED
    assert bad.problem is not None and bad.problem.code == "invalid_type"
    assert feeding.stored() == [(0, 2)]


def test_while_the_backlog_is_full_cuts_are_kept_and_come_in_order(
    bench: Bench, plan_for: MakePlan
) -> None:
    ahead = 0.0
    clock = bench.bounded(20, lambda: time.monotonic() + ahead)
    plan = plan_for(rows(53), shard_size=1)
    feeding = Feeding(bench, plan)
    stop = threading.Event()
    with plan.reader() as reader:
        feeder = feeding.feeder(reader, clock=clock)
        flying = feeder.feed(EVERYTHING, stop)
        assert [one.number for one in flying] == list(range(32))  # two transactions
        assert not feeder.exhausted
        assert feeder.waiting_since is not None
        assert feeder.feed(EVERYTHING, stop) == []  # too soon
        ahead += 60
        assert feeder.feed(EVERYTHING, stop) == []  # asked again, and still full
        assert feeder.waited >= 60
        bench.store.claims.claim("w1", [job.id for job in bench.store.jobs.page(TENANT, limit=99)])
        ahead += 60
        stop.set()
        assert feeder.feed(EVERYTHING, stop) == []
        stop.clear()
        flying += feeder.feed(EVERYTHING, stop)
        assert (len(flying), feeder.exhausted, feeder.waited) == (53, True, 0.0)
    assert [one.number for one in flying] == list(range(53))
    assert feeding.stored() == [(number, 1) for number in range(53)]


def test_a_batch_that_is_called_back_waits_for_no_room(bench: Bench, plan_for: MakePlan) -> None:
    ahead = 0.0
    clock = bench.bounded(1, lambda: time.monotonic() + ahead)
    plan = plan_for(rows(20), shard_size=1)
    feeding = Feeding(bench, plan)
    with plan.reader() as reader:
        feeder = feeding.feeder(reader, clock=clock)
        assert len(feeder.feed(EVERYTHING, threading.Event())) == 16
        bench.store.batches.cancel(TENANT, BATCH)
        ahead += 60
        rest = feeder.feed(EVERYTHING, threading.Event())
        assert [one.ordinal for one in rest] == [None] * 4
        assert feeder.exhausted
    assert len(feeding.stored()) == 16


def test_an_input_that_breaks_off_is_told(bench: Bench, plan_for: MakePlan) -> None:
    lines = b"".join(f'"line {number}"\n'.encode() for number in range(2_000))
    plan = plan_for(gzip.compress(lines)[:-40], name="in.jsonl.gz", shard_size=256)
    feeding = Feeding(bench, plan)
    with plan.reader() as reader:
        feeder = feeding.feeder(reader)
        flying = feeder.feed(EVERYTHING, threading.Event())
        assert (feeder.broken, feeder.exhausted) == (True, True)
    last = flying[-1].slots[-1]
    assert last.problem is not None
    assert feeding.stored()[0] == (0, 256)
