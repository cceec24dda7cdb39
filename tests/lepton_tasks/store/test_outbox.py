"""What the reconciler asks of the rows: lost messages, deadlines, markers, on both databases."""

from __future__ import annotations

import threading
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.queues import Priority
from lepton_tasks.states import BatchState, JobState
from lepton_tasks.store.database import now
from lepton_tasks.store.outbox import Thin
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import JobRow
from lepton_tasks.window import Allowance
from tests.support.lives import NODE, TENANT, a_job, state, worker

jobs = JobRow.__table__  # type: ignore[attr-defined]
FUTURE = 4_000_000_000.0


def put(store: Store, *new: NewJob, published: bool = True) -> list[str]:
    allow = Allowance(10_000 if published else 0)
    store.jobs.insert_groups([new], lambda _: allow)
    return [job.id for job in new]


def set_back(store: Store, job_id: str, **seconds: float) -> None:
    """Move times of a job into the past: ``published_at=3600`` is an hour ago."""
    with store.database.write() as connection:
        values = {name: now() - ago for name, ago in seconds.items()}
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))


def column(store: Store, job_id: str, name: str) -> Any:
    with store.database.read() as connection:
        return connection.execute(select(jobs.c[name]).where(jobs.c.id == job_id)).scalar_one()


def test_overdue_are_those_published_long_ago_and_claimed_by_nobody(quick_store: Store) -> None:
    later, late, fresh, claimed, cancelled = put(
        quick_store,
        a_job(priority=Priority.HIGH),
        *(a_job() for _ in range(4)),
    )
    [waiting] = put(quick_store, a_job(), published=False)
    for job_id, ago in ((late, 9000), (later, 5000), (claimed, 9000), (cancelled, 9000)):
        set_back(quick_store, job_id, published_at=ago)
    assert quick_store.claims.claim(worker(quick_store), [claimed])
    quick_store.jobs.cancel(TENANT, cancelled)
    found = quick_store.outbox.overdue(3600.0, 10)
    assert found == [
        Thin(late, "moderation", Priority.NORMAL),
        Thin(later, "moderation", Priority.HIGH),
    ]
    assert quick_store.outbox.overdue(3600.0, 1) == found[:1]
    assert quick_store.outbox.overdue(20_000.0, 10) == []
    everything = {one.id for one in quick_store.outbox.overdue(0.0, 10)}
    assert everything == {late, later, fresh}
    assert waiting not in everything


def test_a_message_declared_lost_is_published_again(quick_store: Store) -> None:
    lost, other = put(quick_store, a_job(), a_job())
    assert quick_store.outbox.mark_published([lost]) == set()
    assert quick_store.outbox.forget_published([lost, "job_none"]) == 1
    assert quick_store.outbox.forget_published([lost]) == 0
    assert quick_store.outbox.mark_published([lost, other]) == {lost}


def test_only_messages_old_enough_are_declared_lost(quick_store: Store) -> None:
    old, fresh = put(quick_store, a_job(), a_job())
    set_back(quick_store, old, published_at=6000)
    assert quick_store.outbox.forget_published([old, fresh], older_than=3600.0) == 1
    assert column(quick_store, old, "published_at") is None
    assert column(quick_store, fresh, "published_at") is not None
    assert quick_store.outbox.forget_published(older_than=3600.0) == 0
    assert quick_store.outbox.forget_published([]) == 0


def test_all_messages_are_declared_lost_page_by_page(quick_store: Store) -> None:
    ids = put(quick_store, *(a_job() for _ in range(2_100)))
    [running, *_] = ids
    quick_store.claims.claim(worker(quick_store), [running])
    assert quick_store.outbox.forget_published() == 2_099
    assert quick_store.outbox.forget_published() == 0
    assert quick_store.outbox.mark_published(ids) == set(ids[1:])


def test_markers_that_compete_take_each_job_once(quick_store: Store) -> None:
    ids = put(quick_store, *(a_job() for _ in range(200)), published=False)
    taken: list[set[str]] = []
    gate = threading.Barrier(4)

    def take() -> None:
        gate.wait()
        for start in range(0, 200, 50):
            taken.append(quick_store.outbox.mark_published(ids[start : start + 50]))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(one) for one in taken) == 200
    assert set().union(*taken) == set(ids)


def test_a_job_past_its_deadline_ends_before_it_runs(quick_store: Store) -> None:
    late, running, patient, endless = put(
        quick_store,
        a_job(ttl_seconds=3600.0, webhook="https://hooks.test/x"),
        a_job(ttl_seconds=3600.0),
        a_job(ttl_seconds=9000.0),
        a_job(),
    )
    quick_store.claims.claim(worker(quick_store), [running])
    assert quick_store.outbox.expire_deadlines() == 0
    for job_id in (late, running):
        set_back(quick_store, job_id, deadline=1)
    assert quick_store.outbox.expire_deadlines() == 1
    assert quick_store.outbox.expire_deadlines() == 0
    job = quick_store.jobs.get(TENANT, late)
    assert job.state is JobState.EXPIRED
    assert job.error == {
        "code": "expired",
        "message": "the job waited longer than its ttl_seconds",
    }
    assert job.finished_at is not None
    assert [state(quick_store, one) for one in (running, patient, endless)] == [
        JobState.RUNNING,
        JobState.QUEUED,
        JobState.QUEUED,
    ]
    [delivery] = quick_store.deliveries.claim_due(10, 30)
    assert delivery.event_type == "job.expired"
    assert orjson.loads(delivery.body)["data"]["id"] == late


def test_a_deadline_counts_whether_the_job_was_published_or_not(quick_store: Store) -> None:
    [published] = put(quick_store, a_job(ttl_seconds=3600.0))
    [waiting] = put(quick_store, a_job(ttl_seconds=3600.0), published=False)
    for job_id in (published, waiting):
        set_back(quick_store, job_id, deadline=1)
    assert quick_store.outbox.expire_deadlines() == 2


def test_an_expired_shard_counts_in_its_batch(quick_store: Store) -> None:
    quick_store.batches.create(TENANT, "batch_1", "moderation", Priority.BULK, "in.jsonl")
    [shard] = put(
        quick_store, a_job("好", "fine", batch_id="batch_1", ordinal=0, ttl_seconds=3600.0)
    )
    quick_store.batches.seal(TENANT, "batch_1", total_items=2)
    set_back(quick_store, shard, deadline=1)
    assert quick_store.outbox.expire_deadlines() == 1
    batch = quick_store.batches.get(TENANT, "batch_1")
    assert (batch.state, batch.done_items, batch.failed_items) == (BatchState.COMPLETED, 2, 2)


def test_deadlines_are_ended_a_page_at_a_time(quick_store: Store) -> None:
    put(quick_store, *(a_job(ttl_seconds=3600.0) for _ in range(1_200)))
    with quick_store.database.write() as connection:
        connection.execute(update(jobs).values(deadline=now() - 1))
    counts = [quick_store.outbox.expire_deadlines() for _ in range(3)]
    assert counts == [1_000, 200, 0]


def test_queues_with_nothing_due_are_a_backlog_and_not_unpublished(quick_store: Store) -> None:
    payload = Payload(("好",), single=True)
    put(quick_store, a_job(run_at=FUTURE), published=False)
    put(quick_store, NewJob(TENANT, "translation", payload, 1, Priority.BULK), published=False)
    put(quick_store, NewJob(TENANT, "translation", payload, 1, Priority.HIGH), published=False)
    assert quick_store.outbox.backlog_queues() == [
        ("translation", "high"),
        ("moderation", "normal"),
        ("translation", "bulk"),
    ]
    assert quick_store.outbox.unpublished_queues() == [
        ("translation", "high"),
        ("translation", "bulk"),
    ]


def test_a_marker_keeps_the_first_value(quick_store: Store) -> None:
    assert quick_store.outbox.marker("epoch", "一") == "一"
    assert quick_store.outbox.marker("epoch", "two") == "一"
    assert quick_store.outbox.marker("other", "two") == "two"


def test_processes_that_start_at_once_agree_on_a_marker(quick_store: Store) -> None:
    values: list[str] = []
    gate = threading.Barrier(6)

    def ask(mine: str) -> None:
        gate.wait()
        values.append(quick_store.outbox.marker("epoch", mine))

    threads = [threading.Thread(target=ask, args=(str(number),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(values) == 6
    assert len(set(values)) == 1


@pytest.mark.parametrize("ended", [JobState.CANCELLED, JobState.SUCCEEDED])
def test_a_job_that_ended_is_neither_marked_nor_forgotten(
    quick_store: Store, ended: JobState
) -> None:
    [job_id] = put(quick_store, a_job(), published=ended is JobState.SUCCEEDED)
    if ended is JobState.CANCELLED:
        quick_store.jobs.cancel(TENANT, job_id)
    else:
        quick_store.claims.claim(worker(quick_store, NODE), [job_id])
    assert quick_store.outbox.mark_published([job_id]) == set()
    assert quick_store.outbox.forget_published([job_id]) == 0
