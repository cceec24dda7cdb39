"""Threads that claim, renew and run: turns of tenants, take-over, outages, and a quick end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select

from lepton_tasks.batches import run, runners
from lepton_tasks.batches.runners import Runners
from lepton_tasks.bulk.errors import RunStopped
from lepton_tasks.bulk.outputs import Outputs
from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.states import BATCH_TERMINAL, BatchState
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.batches import Batch, BatchStore
from lepton_tasks.store.database import now
from tests.support.orders import put
from tests.support.shard_worker import ShardWorker
from tests.support.uploads import TENANT, Yard, asking, request_line

PATIENCE = 60.0
batches = BatchRow.__table__  # type: ignore[attr-defined]


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@contextmanager
def running(
    yard: Yard, most: int = 4, holder: str = "io-1", lease: float = 30.0
) -> Iterator[Runners]:
    these = Runners(yard.bench, holder, most, lease, 0.05)
    these.start()
    try:
        yield these
    finally:
        these.close(PATIENCE)


def lines(count: int, text: str = "fine") -> list[dict[str, Any]]:
    return [request_line(f"c-{number}", asking(f"{text} {number}")) for number in range(count)]


def state(yard: Yard, batch: Batch) -> BatchState:
    return yard.read(batch.id, batch.tenant).state


def runner_of(yard: Yard, batch: Batch) -> str | None:
    with yard.store.database.read() as connection:
        query = select(batches.c.runner).where(batches.c.id == batch.id)
        runner: str | None = connection.execute(query).scalar_one()
    return runner


def has_runner(yard: Yard, batch: Batch) -> bool:
    return runner_of(yard, batch) is not None


def lease_of(yard: Yard, batch: Batch) -> float:
    with yard.store.database.read() as connection:
        query = select(batches.c.runner_until).where(batches.c.id == batch.id)
        until: float = connection.execute(query).scalar_one()
    return until


@pytest.mark.usefixtures("worker")
def test_two_io_workers_run_ten_batches_once_each(yard: Yard) -> None:
    ten = [yard.order(lines(20, f"批 {number}")) for number in range(10)]
    with running(yard, 2), running(yard, 2, "io-2"):
        until(lambda: all(state(yard, batch) in BATCH_TERMINAL for batch in ten))
    for number, batch in enumerate(ten):
        ended = yard.read(batch.id)
        assert (ended.state, ended.lines) == (BatchState.COMPLETED, (20, 20, 0))
        texts = [
            row["response"]["body"]["output"]["echo"] for row in yard.rows(ended.output_file_id)
        ]
        assert texts == [f"批 {number} {line}" for line in range(20)]
        assert not has_runner(yard, ended)


def test_a_batch_for_which_there_is_no_thread_is_given_back(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "_PAUSE_SECONDS", 0.1)
    start = threading.Thread.start
    refused: list[str] = []

    def fail_once(thread: threading.Thread) -> None:
        if thread.name.startswith("batch-batch_") and not refused:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fail_once)
    batch = yard.order([request_line("a", asking("好"), "/v1/other")])
    with running(yard, 1, lease=3_600):
        until(lambda: state(yard, batch) is BatchState.FAILED)
    assert refused == [f"batch-{batch.id}"]


def test_stopping_gives_batches_back_at_once(yard: Yard) -> None:
    batch = yard.order(lines(50))
    with running(yard, lease=3_600):
        until(lambda: state(yard, batch) is BatchState.IN_PROGRESS)
    assert state(yard, batch) is BatchState.IN_PROGRESS
    with (
        ShardWorker(yard.settings.store_url, yard.settings.redis_url),
        running(yard, holder="io-2"),
    ):
        until(lambda: state(yard, batch) is BatchState.COMPLETED)
    assert len(yard.rows(yard.read(batch.id).output_file_id)) == 50


def test_a_tenant_that_waits_gets_a_place_of_one_that_has_several(yard: Yard) -> None:
    mine = [yard.order(lines(5)) for _ in range(3)]
    with running(yard, 2):
        until(lambda: sum(has_runner(yard, batch) for batch in mine) == 2)
        yours = yard.order(lines(5), tenant="beta")
        until(lambda: has_runner(yard, yours))
        until(lambda: sum(has_runner(yard, batch) for batch in mine) == 1)
        with ShardWorker(yard.settings.store_url, yard.settings.redis_url):
            until(lambda: all(state(yard, one) is BatchState.COMPLETED for one in [*mine, yours]))


def test_a_cancel_is_heeded_while_nothing_moves(yard: Yard) -> None:
    batch = yard.order(lines(5))
    with running(yard):
        until(lambda: state(yard, batch) is BatchState.IN_PROGRESS)
        yard.store.batches.cancel(TENANT, batch.id)
        until(lambda: state(yard, batch) is BatchState.CANCELLED)
    assert len(yard.rows(yard.read(batch.id).error_file_id)) == 5


def test_a_lease_is_kept_while_it_runs(yard: Yard) -> None:
    batch = yard.order(lines(5))
    with running(yard):
        until(lambda: state(yard, batch) is BatchState.IN_PROGRESS)
        first = lease_of(yard, batch)
        until(lambda: lease_of(yard, batch) > first)


@pytest.mark.usefixtures("worker")
def test_an_end_is_told(yard: Yard) -> None:
    yard.order(lines(5))
    told = threading.Event()
    these = Runners(yard.bench, "io-1", 1, 30.0, 0.05)
    these.start(told.set)
    assert told.wait(PATIENCE)
    these.close(PATIENCE)


def test_who_was_relieved_lets_go(yard: Yard, caplog: pytest.LogCaptureFixture) -> None:
    batch = yard.order(lines(5))
    with running(yard) as first:
        until(lambda: state(yard, batch) is BatchState.IN_PROGRESS)
        put(yard.store, batch.id, runner="io-2", runner_fence=9, runner_until=now() + 60)
        until(lambda: not first._all())
        assert runner_of(yard, batch) == "io-2"
    assert "is run by another now" in caplog.text


@pytest.mark.usefixtures("worker")
def test_an_outage_is_waited_for(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    batch = yard.order(lines(40))
    failures = iter([True, True])
    look = BatchStore.next_ordinal

    def away(self: BatchStore, tenant: str, batch_id: str) -> int:
        if next(failures, False):
            raise StoreUnavailable("the database is away")
        return look(self, tenant, batch_id)

    monkeypatch.setattr(BatchStore, "next_ordinal", away)
    with running(yard):
        until(lambda: state(yard, batch) is BatchState.COMPLETED)
    assert caplog.text.count("the database is away") == 1
    assert len(yard.rows(yard.read(batch.id).output_file_id)) == 40


@pytest.mark.usefixtures("worker")
def test_a_disk_that_fails_is_told_once_and_waited_for(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runners, "_PAUSE_SECONDS", 0.02)
    batch = yard.order(lines(40))
    failures = iter([True] * 3)
    write = Outputs.write

    def full(self: Outputs, results: bytes, problems: bytes) -> None:
        if next(failures, False):
            raise RunStopped("cannot write: No space left on device")
        write(self, results, problems)

    monkeypatch.setattr(Outputs, "write", full)
    with running(yard):
        until(lambda: state(yard, batch) is BatchState.COMPLETED)
    assert caplog.text.count("No space left") == 1
    assert len(yard.rows(yard.read(batch.id).output_file_id)) == 40


@pytest.mark.usefixtures("worker")
def test_a_batch_that_fails_for_a_reason_of_its_own_does_not_hold_up_others(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = yard.order(lines(3))
    good = yard.order(lines(3))
    journal = run.UploadedRun._journal

    def fail(self: run.UploadedRun, *arguments: Any) -> Any:
        if self._claim.id == broken.id:
            raise KeyError("秘密")
        return journal(self, *arguments)

    monkeypatch.setattr(run.UploadedRun, "_journal", fail)
    with running(yard, 1):
        until(lambda: state(yard, good) is BatchState.COMPLETED)
        assert state(yard, broken) is BatchState.IN_PROGRESS
    assert "KeyError" in caplog.text
    assert "秘密" not in caplog.text
    assert not yard.store.batch_runs.waiting()


@pytest.mark.usefixtures("worker")
def test_files_that_a_dying_process_still_holds_are_tried_again(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "_BUSY_SECONDS", 0.02)
    batch = yard.order(lines(3))
    folder = yard.storage.make_batch_folder(batch.id)
    with running(yard):
        with Outputs(folder / run.OUTPUT, folder / run.ERRORS):
            until(lambda: state(yard, batch) is BatchState.IN_PROGRESS)
        until(lambda: state(yard, batch) is BatchState.COMPLETED)
