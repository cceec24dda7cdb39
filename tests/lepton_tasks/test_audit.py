"""A message that is lost is found, also in a queue that never runs empty; others are left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from lepton_tasks.audit import Auditor
from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.publisher import Publisher
from lepton_tasks.errors import BrokerUnavailable
from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.launcher.ports import free_port
from lepton_tasks.queues import UNACKED_KEY, Priority
from lepton_tasks.store.store import Store


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url, 5.0) as client:
        yield client


def a_job(**changes: object) -> NewJob:
    return NewJob("t", "moderation", Payload(("好",), single=True), 1, **changes)  # type: ignore[arg-type]


def unpublished(store: Store, priority: Priority = Priority.NORMAL) -> list[str]:
    with store.outbox.backlog("moderation", priority) as backlog:
        return [job.id for job in backlog.jobs("t", 100)]


def test_lost_messages_are_found_in_a_queue_that_is_not_empty(
    store: Store, client: redis.Redis
) -> None:
    jobs = [a_job(id='a "quoted" id'), *(a_job() for _ in range(5)), a_job(priority=Priority.BULK)]
    store.jobs.insert(jobs)
    Publisher(client).publish(jobs[:4])
    fetched: Any = client.rpop("moderation.normal")
    entry = json.dumps([json.loads(fetched), "", "moderation.normal"])
    client.hset(UNACKED_KEY, "tag", entry)  # as the transport registers it
    assert Auditor(store.outbox, client, 0.0, 100).audit() == 3
    assert unpublished(store) == [job.id for job in jobs[4:6]]
    assert unpublished(store, Priority.BULK) == [jobs[6].id]


def test_young_claimed_and_ended_jobs_are_left_alone(store: Store, client: redis.Redis) -> None:
    jobs = [a_job() for _ in range(3)]
    store.jobs.insert(jobs)
    store.claims.claim("w1", [jobs[0].id])
    store.jobs.cancel("t", jobs[1].id)
    assert Auditor(store.outbox, client, 60.0, 100).audit() == 0
    assert Auditor(store.outbox, client, 0.0, 100).audit() == 1
    assert unpublished(store) == [jobs[2].id]


def test_a_queue_that_others_fill_is_not_read(store: Store, client: redis.Redis) -> None:
    store.jobs.insert([a_job()])
    client.lpush("moderation.normal", *(b"{}" for _ in range(11)))
    assert Auditor(store.outbox, client, 0.0, 10).audit() == 0
    assert Auditor(store.outbox, client, 0.0, 11).audit() == 1


def test_it_looks_now_and_then(store: Store, client: redis.Redis) -> None:
    auditor = Auditor(store.outbox, client, 0.0, 100)
    assert auditor.audit() == 0
    store.jobs.insert([a_job()])
    assert auditor.audit() == 0
    auditor._next_at = 0.0
    assert auditor.audit() == 1


def test_without_redis_nothing_is_judged(store: Store) -> None:
    store.jobs.insert([a_job()])
    away = connect(f"redis://127.0.0.1:{free_port()}/0", 0.5)
    with pytest.raises(BrokerUnavailable):
        Auditor(store.outbox, away, 0.0, 100).audit()
    assert unpublished(store) == []
