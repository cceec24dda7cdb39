"""Due jobs claimed without a message: shares of queues, turns of tenants, each job once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from lepton_tasks.jobs import ClaimedJob, NewJob, Payload
from lepton_tasks.queues import Priority
from lepton_tasks.store.due import Turns
from lepton_tasks.store.store import Store
from lepton_tasks.window import Allowance

HIGH, NORMAL, BULK = Priority
QUEUES = [("moderation", priority) for priority in Priority]
FUTURE = 4_000_000_000.0


@pytest.fixture
def store(quick_store: Store) -> Store:
    return quick_store


def a_job(tenant: str = "a", cost: int = 1, **changes: Any) -> NewJob:
    return NewJob(tenant, "moderation", Payload(("好",), single=True), cost, **changes)


def put(store: Store, *jobs: NewJob, published: bool = False) -> list[str]:
    allow = (lambda _: Allowance(10_000)) if published else (lambda _: Allowance(0))
    store.jobs.insert_groups([jobs], allow)
    return [job.id for job in jobs]


def claim(store: Store, limit: int, turns: Turns | None = None, **more: Any) -> list[ClaimedJob]:
    return store.due.claim("w1", QUEUES, limit, turns or Turns(), **more)


def ids(claims: list[ClaimedJob]) -> list[str]:
    return [job.id for job in claims]


def test_published_or_not_each_is_claimed_once_and_in_order(store: Store) -> None:
    sent = put(store, *(a_job() for _ in range(3)), published=True)
    waiting = put(store, *(a_job() for _ in range(3)))
    put(store, a_job(run_at=FUTURE), NewJob("a", "translation", Payload(("x",), True), 1))
    claims = claim(store, 100)
    assert ids(claims) == sorted(sent) + sorted(waiting)
    assert claims[0].payload.inputs == ("好",)
    assert [job.fence for job in claims] == [1] * 6
    assert claim(store, 100) == []
    assert store.claims.claim("w2", sent) == []  # the messages come all the same


def test_cancelled_and_late_jobs_are_left(store: Store) -> None:
    [cancelled, _] = put(store, a_job(), a_job(ttl_seconds=-1.0))
    store.jobs.cancel("a", cancelled)
    assert claim(store, 100) == []


def test_queues_share_by_weight_and_the_rest_goes_to_the_urgent(store: Store) -> None:
    for priority in Priority:
        put(store, *(a_job(priority=priority) for _ in range(40)))
    turns = Turns()
    assert Counter(job.priority for job in claim(store, 21, turns)) == {
        HIGH: 16,
        NORMAL: 4,
        BULK: 1,
    }
    taken = Counter(job.priority for job in claim(store, 42, turns))
    assert taken == {HIGH: 24, NORMAL: 16, BULK: 2}


def test_with_room_for_one_no_queue_waits_for_ever(store: Store) -> None:
    for priority in Priority:
        put(store, *(a_job(priority=priority) for _ in range(20)))
    turns = Turns()
    taken = Counter(claim(store, 1, turns)[0].priority for _ in range(21))
    assert taken == {HIGH: 16, NORMAL: 4, BULK: 1}


def test_tenants_take_turns_by_cost(store: Store) -> None:
    put(store, *(a_job("large", cost=64) for _ in range(20)))
    put(store, *(a_job("also", cost=64) for _ in range(20)), published=True)
    put(store, *(a_job("small", cost=16) for _ in range(40)))
    turns = Turns()
    taken: Counter[str] = Counter()
    for _ in range(5):
        taken.update(job.tenant for job in claim(store, 6, turns))
    assert taken == {"also": 5, "large": 5, "small": 20}


def test_only_what_is_overdue_where_that_is_asked(store: Store) -> None:
    sent = put(store, a_job(), published=True)
    old = put(store, a_job(), a_job())
    with store.database.write() as connection:
        connection.execute(text("UPDATE jobs SET run_after = run_after - 60"))
        connection.execute(text("UPDATE jobs SET published_at = published_at - 60"))
    put(store, a_job("b"), published=True)
    put(store, a_job("a"), a_job("b"))
    assert sorted(ids(claim(store, 100, older_than=30.0))) == sorted(old + sent)
    assert claim(store, 100, older_than=30.0) == []


def test_only_the_queues_that_are_named(store: Store) -> None:
    put(store, a_job(priority=BULK))
    [urgent] = put(store, a_job(priority=HIGH))
    claims = store.due.claim("w1", [("moderation", HIGH)], 10, Turns())
    assert ids(claims) == [urgent]
    assert store.due.claim("w1", [], 10, Turns()) == []


def test_the_oldest_tells_for_how_long_a_queue_waits(store: Store) -> None:
    put(store, a_job("a", run_at=FUTURE), a_job("b", run_at=FUTURE, priority=HIGH))
    assert store.due.oldest(QUEUES) == {}
    put(store, a_job("a"), a_job("b"))
    put(store, a_job("c", priority=BULK), published=True)
    with store.database.write() as connection:
        connection.execute(text("UPDATE jobs SET run_after = run_after - 60 WHERE tenant = 'b'"))
    found = store.due.oldest(QUEUES)
    assert set(found) == {("moderation", NORMAL), ("moderation", BULK)}
    assert 60 <= found["moderation", NORMAL] < 1_000
    assert set(store.due.oldest(QUEUES, 30.0)) == {("moderation", NORMAL)}


def test_workers_that_ask_at_once_take_different_jobs(store: Store) -> None:
    wanted = set(put(store, *(a_job(tenant) for tenant in "abc" for _ in range(40))))

    def work(name: str) -> list[str]:
        turns, taken = Turns(), list[str]()
        while store.due.oldest(QUEUES):
            taken += ids(store.due.claim(name, QUEUES, 7, turns))
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [job_id for one in pool.map(work, "1234") for job_id in one]
    assert len(taken) == len(wanted)
    assert set(taken) == wanted
