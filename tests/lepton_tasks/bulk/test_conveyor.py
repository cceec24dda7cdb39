"""The window between input and output: how much is in flight, and in which order it leaves."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import update

from lepton_tasks.bulk.conveyor import Conveyor, Dealt
from lepton_tasks.bulk.errors import RunStopped
from lepton_tasks.bulk.feeder import Feeder
from lepton_tasks.bulk.lines import Problem
from lepton_tasks.bulk.shards import Shard, cut_lines
from lepton_tasks.jobs import Job, NewJob, Payload
from lepton_tasks.queues import Priority
from lepton_tasks.store.tables import JobRow
from tests.lepton_tasks.bulk.conftest import Bench
from tests.lepton_tasks.bulk.test_shards import asking
from tests.support.shard_worker import ShardWorker, judge

TENANT, BATCH = "default", "batch_1"
jobs = JobRow.__table__  # type: ignore[attr-defined]


class Errand:
    """Shards of moderation jobs whose work is a bar for flags."""

    tenant, batch_id = TENANT, BATCH

    def job(self, shard: Shard, ordinal: int) -> NewJob:
        payload = Payload(shard.items, single=False, options={"language": shard.work})
        return NewJob(TENANT, "moderation", payload, 1, batch_id=BATCH, ordinal=ordinal)

    def given_up(self) -> Problem | None:
        return None


class Belt:
    """A conveyor over lines, and what it has handed on."""

    def __init__(self, bench: Bench, shapes: list[Any], shard_size: int, **more: Any) -> None:
        bench.store.batches.create(TENANT, BATCH, "moderation", Priority.BULK, "f")
        self.written: list[tuple[str, list[Any]]] = []
        self.jobs: set[str] = set()
        self.pages: list[int] = []
        self._bench = bench
        lines = asking(shapes)
        feeder = Feeder(bench.producer, Errand(), cut_lines(lines, shard_size), lambda: 0)
        self.conveyor = Conveyor(feeder, self._finished, self._write, **more)

    def _finished(self, first: int, limit: int) -> Sequence[Job]:
        self.pages.append(limit)
        return self._bench.store.jobs.shards(TENANT, BATCH, first, limit)

    def _write(self, lines: Iterator[Dealt]) -> None:
        for slot, job, outcomes in lines:
            self.written.append((str(slot.id), list(outcomes)))
            if job is not None:
                self.jobs.add(job.id)

    def run(self, worker: ShardWorker) -> None:
        while not self.conveyor.empty:
            self.conveyor.fill(threading.Event())
            self.conveyor.collect()
            worker.step(3)


@pytest.fixture
def worker(bench: Bench) -> Iterator[ShardWorker]:
    worker = ShardWorker(bench.settings.store_url, bench.settings.redis_url)
    yield worker
    worker.close()


def shapes(count: int) -> list[tuple[int, list[str]]]:
    return [
        (number % 3, [f"好 {number}.{place}" for place in range(number % 4)])
        for number in range(count)
    ]


def test_each_line_gets_what_came_of_its_own_items_in_order(
    bench: Bench, worker: ShardWorker
) -> None:
    given = shapes(90)
    belt = Belt(bench, given, 8, window=40)
    belt.run(worker)
    assert belt.written == [
        (f"c-{number}", [judge(text) for text in texts])
        for number, (_, texts) in enumerate(given, 1)
    ]
    assert belt.conveyor.last is not None
    assert belt.conveyor.next_cut == belt.conveyor.last.number + 1
    assert len(belt.jobs) == bench.store.batches.next_ordinal(TENANT, BATCH)


@pytest.mark.parametrize(
    ("bounds", "most"), [({"window": 12}, 12), ({"characters": 5 * 20}, 5)], ids=["lines", "texts"]
)
def test_lines_and_texts_in_flight_are_bounded(
    bench: Bench, worker: ShardWorker, bounds: dict[str, int], most: int
) -> None:
    belt = Belt(bench, [(0, ["x" * 20])] * 40, 1, **bounds)
    belt.conveyor.fill(threading.Event())
    assert bench.store.batches.next_ordinal(TENANT, BATCH) == most
    belt.conveyor.fill(threading.Event())
    assert bench.store.batches.next_ordinal(TENANT, BATCH) == most
    belt.run(worker)
    assert len(belt.written) == 40


def test_a_cut_waits_for_all_of_its_shards(bench: Bench, worker: ShardWorker) -> None:
    belt = Belt(bench, [(0, ["a"]), (1, ["b"]), (2, ["c"])], 3)
    belt.conveyor.fill(threading.Event())
    for _ in range(2):
        worker.step(1, newest=False)
        assert not belt.conveyor.collect()
    worker.step(1)
    assert belt.conveyor.collect()
    assert [name for name, _ in belt.written] == ["c-1", "c-2", "c-3"]


def test_few_shards_of_many_items_are_read_at_a_time(bench: Bench, worker: ShardWorker) -> None:
    belt = Belt(bench, [(0, ["x"] * 40)] * 9, 2, page_items=100)
    belt.run(worker)
    assert max(belt.pages) == 2
    assert len(belt.written) == 9


def test_outputs_that_do_not_fit_are_an_error(bench: Bench, worker: ShardWorker) -> None:
    belt = Belt(bench, [(0, ["a", "b"]), (1, ["c"])], 8)
    belt.conveyor.fill(threading.Event())
    worker.step()
    with bench.store.database.write() as connection:
        for ordinal, outputs in ((0, "[1]"), (1, "[1,2]")):
            text = f'{{"outputs":{outputs}}}'
            connection.execute(update(jobs).where(jobs.c.ordinal == ordinal).values(result=text))
    with pytest.raises(RunStopped, match="3 outputs for 3 lines"):
        belt.conveyor.collect()
    assert belt.written == []
