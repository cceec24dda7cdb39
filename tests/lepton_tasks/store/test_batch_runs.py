"""Batches change hands by leases and fences, and end once, with all that follows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from lepton_tasks.errors import LeaseLost
from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.queues import Priority
from lepton_tasks.states import BatchState, JobState
from lepton_tasks.store.batch_runs import BatchClaim, LineCounts, Made, MadeFile
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.batches import Batch
from lepton_tasks.store.database import now
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import DeliveryRow
from tests.support.endpoints import subscribe
from tests.support.orders import ordered, put

batches = BatchRow.__table__  # type: ignore[attr-defined]
deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]
LONG = 60.0


def claimed(store: Store, holder: str = "io-1", seconds: float = LONG) -> BatchClaim:
    claim = store.batch_runs.claim(holder, seconds)
    assert claim is not None
    return claim


def read(store: Store, claim: BatchClaim) -> Batch:
    return store.batches.get(claim.tenant, claim.id)


def events(store: Store) -> list[dict[str, Any]]:
    with store.database.read() as connection:
        bodies = connection.execute(select(deliveries.c.body).order_by(deliveries.c.sequence))
        return [orjson.loads(body) for body in bodies.scalars()]


def let_go(store: Store, claim: BatchClaim) -> None:
    """The runner of a batch falls silent until its lease is over."""
    put(store, claim.id, runner_until=now() - 1)


def test_a_batch_is_claimed_once(quick_store: Store) -> None:
    assert not quick_store.batch_runs.waiting()
    assert quick_store.batch_runs.claim("io-1", LONG) is None
    batch = ordered(quick_store, priority="normal", completion_window="1h")
    assert quick_store.batch_runs.waiting()
    claim = claimed(quick_store)
    assert (claim.id, claim.tenant, claim.endpoint) == (batch.id, "acme", "/v1/moderations")
    assert (claim.priority, claim.state) == (Priority.NORMAL, BatchState.VALIDATING)
    assert (claim.input_file_id, claim.validated, claim.fence) == (batch.input_file_id, False, 1)
    assert claim.seconds_left is not None
    assert 3_500 < claim.seconds_left <= 3_600
    assert not quick_store.batch_runs.waiting()
    assert quick_store.batch_runs.claim("io-2", LONG) is None


def test_batches_that_a_command_reads_are_nobody_s_to_claim(quick_store: Store) -> None:
    quick_store.batches.create("acme", "batch_1", "moderation", Priority.BULK, "f")
    assert quick_store.batch_runs.claim("io-1", LONG) is None


def test_tenants_take_turns_and_the_oldest_comes_first(quick_store: Store) -> None:
    mine = [ordered(quick_store, "acme").id for _ in range(3)]
    yours = [ordered(quick_store, "beta").id for _ in range(2)]
    order = [claimed(quick_store).id for _ in range(5)]
    assert order == [mine[0], yours[0], mine[1], yours[1], mine[2]]


def test_many_claim_at_once_and_each_batch_goes_to_one(quick_store: Store) -> None:
    wanted = {ordered(quick_store, f"tenant-{number % 3}").id for number in range(12)}
    got: list[str] = []

    def take(holder: str) -> None:
        misses = 0
        while misses < 3:
            claim = quick_store.batch_runs.claim(holder, LONG)
            if claim is None:
                misses += 1
            else:
                got.append(claim.id)

    threads = [threading.Thread(target=take, args=(f"io-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(wanted)


def test_a_silent_runner_is_relieved_and_may_write_no_more(quick_store: Store) -> None:
    ordered(quick_store)
    first = claimed(quick_store)
    let_go(quick_store, first)
    second = claimed(quick_store, "io-2")
    assert (second.id, second.fence) == (first.id, 2)
    runs = quick_store.batch_runs
    writes: list[Callable[[], BatchState]] = [
        lambda: runs.renew(first, LONG),
        lambda: runs.validated(first, 5),
        lambda: runs.progress(first, LineCounts(1, 0), 10, 0),
        lambda: runs.finalizing(first),
        lambda: runs.refuse(first, []),
        lambda: runs.finish(first, BatchState.COMPLETED, Made(LineCounts(1, 0))),
    ]
    for write in writes:
        with pytest.raises(LeaseLost):
            write()
    runs.release(first)
    assert runs.claim("io-3", LONG) is None
    assert runs.validated(second, 5) is BatchState.IN_PROGRESS
    assert read(quick_store, second).completed_lines == 0


def test_a_lease_that_ran_out_unnoticed_goes_on(quick_store: Store) -> None:
    ordered(quick_store)
    claim = claimed(quick_store)
    let_go(quick_store, claim)
    assert quick_store.batch_runs.renew(claim, LONG) is BatchState.VALIDATING
    assert quick_store.batch_runs.claim("io-2", LONG) is None


def test_what_is_given_back_is_free_at_once_or_later(quick_store: Store) -> None:
    ordered(quick_store)
    quick_store.batch_runs.release(claimed(quick_store))
    again = claimed(quick_store, "io-2")
    quick_store.batch_runs.release(again, 100.0)
    assert quick_store.batch_runs.claim("io-1", LONG) is None


def test_a_batch_from_its_file_to_its_end(quick_store: Store) -> None:
    ordered(
        quick_store,
        webhook="https://x.test/h",
        metadata={"night": "七"},
        output_expires_after={"anchor": "created_at", "seconds": 7_200},
    )
    runs = quick_store.batch_runs
    claim = claimed(quick_store)
    assert runs.validated(claim, 3, "tiny") is BatchState.IN_PROGRESS
    began = read(quick_store, claim)
    assert (began.total_lines, began.in_progress_at is not None) == (3, True)
    assert began.model == "tiny"
    assert runs.progress(claim, LineCounts(1, 1), 120, 80) is BatchState.IN_PROGRESS
    there = read(quick_store, claim)
    assert (there.lines, there.output_bytes, there.error_bytes) == ((3, 1, 1), 120, 80)

    let_go(quick_store, claim)
    claim = claimed(quick_store, "io-2")
    assert (claim.state, claim.validated) == (BatchState.IN_PROGRESS, True)
    assert runs.validated(claim, 3) is BatchState.IN_PROGRESS
    assert read(quick_store, claim).in_progress_at == began.in_progress_at
    assert runs.finalizing(claim) is BatchState.FINALIZING
    made = Made(LineCounts(2, 1), MadeFile("file_o", 200), MadeFile("file_e", 90), {"total": 7})
    assert runs.finish(claim, BatchState.COMPLETED, made) is BatchState.COMPLETED
    ended = read(quick_store, claim)
    assert (ended.output_file_id, ended.error_file_id) == ("file_o", "file_e")
    assert (ended.lines, ended.usage, ended.errors) == ((3, 2, 1), {"total": 7}, None)
    assert ended.finished_at is not None
    assert ended.finalizing_at is not None
    output = quick_store.files.get("acme", "file_o")
    assert (output.purpose, output.filename) == ("batch_output", f"{claim.id}_output.jsonl")
    assert output.expires_at is not None
    assert output.size == 200
    assert 7_199 < output.expires_at - output.created_at < 7_201
    assert quick_store.files.get("acme", "file_e").filename == f"{claim.id}_error.jsonl"
    [event] = events(quick_store)
    assert (event["type"], event["data"]["output_file_id"]) == ("batch.completed", "file_o")
    assert event["data"]["request_counts"] == {"total": 3, "completed": 2, "failed": 1}

    with pytest.raises(LeaseLost):
        runs.finish(claim, BatchState.COMPLETED, made)
    assert len(events(quick_store)) == 1
    assert runs.claim("io-1", LONG) is None


def test_a_file_that_is_refused_fails_its_batch(quick_store: Store) -> None:
    ordered(quick_store, webhook="https://x.test/h")
    claim = claimed(quick_store)
    fault = {"code": "invalid_url", "line": 3, "message": "url must be …", "param": "url"}
    assert quick_store.batch_runs.refuse(claim, [fault]) is BatchState.FAILED
    ended = read(quick_store, claim)
    assert (ended.state, ended.errors) == (BatchState.FAILED, [fault])
    assert (ended.output_file_id, ended.error_file_id, ended.usage) == (None, None, None)
    [event] = events(quick_store)
    assert event["type"] == "batch.failed"


@pytest.mark.parametrize("validated", [False, True])
def test_a_cancel_is_seen_and_decides_how_it_ends(quick_store: Store, validated: bool) -> None:
    ordered(quick_store, webhook="https://x.test/h")
    runs = quick_store.batch_runs
    claim = claimed(quick_store)
    if validated:
        runs.validated(claim, 2)
    quick_store.batches.cancel("acme", claim.id)
    assert runs.renew(claim, LONG) is BatchState.CANCELLING
    if not validated:
        assert runs.validated(claim, 2) is BatchState.CANCELLING
        assert runs.refuse(claim, [{"code": "x"}]) is BatchState.CANCELLED
        assert read(quick_store, claim).errors is None
    else:
        assert runs.progress(claim, LineCounts(), 0, 0) is BatchState.CANCELLING
        assert runs.finalizing(claim) is BatchState.CANCELLING
        ended = runs.finish(claim, BatchState.EXPIRED, Made(LineCounts(1, 1)))
        assert ended is BatchState.CANCELLED
    assert [event["type"] for event in events(quick_store)] == ["batch.cancelled"]


def test_after_its_last_line_it_is_too_late_to_cancel(quick_store: Store) -> None:
    ordered(quick_store)
    runs = quick_store.batch_runs
    claim = claimed(quick_store)
    runs.validated(claim, 1)
    runs.finalizing(claim)
    quick_store.batches.cancel("acme", claim.id)
    assert runs.finish(claim, BatchState.EXPIRED, Made(LineCounts())) is BatchState.EXPIRED


def test_shards_that_wait_can_be_called_back(quick_store: Store) -> None:
    ordered(quick_store)
    claim = claimed(quick_store)
    shards = [
        NewJob("acme", "moderation", Payload(("a",), False), 1, batch_id=claim.id, ordinal=place)
        for place in range(2)
    ]
    quick_store.jobs.insert(shards)
    quick_store.claims.claim("w1", [shards[0].id])
    quick_store.batch_runs.cancel_shards(claim)
    states = [quick_store.jobs.get("acme", shard.id).state for shard in shards]
    assert states == [JobState.RUNNING, JobState.CANCELLED]


def test_one_that_is_gone_is_lost(quick_store: Store) -> None:
    ordered(quick_store)
    claim = claimed(quick_store)
    with quick_store.database.write() as connection:
        connection.execute(batches.delete())
    with pytest.raises(LeaseLost, match="is gone"):
        quick_store.batch_runs.renew(claim, LONG)


def test_the_deadline_is_on_the_database_s_clock(quick_store: Store) -> None:
    batch = ordered(quick_store)
    with quick_store.database.write() as connection:
        connection.execute(
            update(batches).where(batches.c.id == batch.id).values(expires_at=now() - 5)
        )
    left = claimed(quick_store).seconds_left
    assert left is not None
    assert -60 < left < 0


def test_each_tenth_is_told_to_those_who_ask(quick_store: Store) -> None:
    subscribe(quick_store, events=["batch.progress", "batch.completed"])
    subscribe(quick_store, events=["batch.failed"])
    ordered(quick_store, webhook="https://x.test/h")
    runs = quick_store.batch_runs
    claim = claimed(quick_store)
    runs.progress(claim, LineCounts(1), 1, 0)  # of none yet
    runs.validated(claim, 40)
    for completed, failed in ((1, 0), (3, 0), (3, 1), (3, 1), (13, 2), (38, 2)):
        runs.progress(claim, LineCounts(completed, failed), completed, failed)
    told = events(quick_store)
    assert {event["type"] for event in told} == {"batch.progress"}
    counts = [event["data"]["request_counts"] for event in told]
    assert counts == [
        {"total": 40, "completed": 3, "failed": 1},
        {"total": 40, "completed": 13, "failed": 2},
    ]
    runs.finish(claim, BatchState.COMPLETED, Made(LineCounts(38, 2)))
    assert [event["type"] for event in events(quick_store)[2:]] == ["batch.completed"] * 2
