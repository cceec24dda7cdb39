"""What the periodic work repairs: silent workers, unpublished jobs, a Redis that lost its data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
import redis

from lepton_tasks import reconciler
from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.publisher import Publisher
from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.launcher.ports import free_port
from lepton_tasks.reconciler import Reconciler
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store
from tests.support.message import messages_of

QUEUE = "moderation.normal"
Once = Callable[[Settings], None]


@pytest.fixture
def live(settings: Settings, redis_url: str) -> Settings:
    return settings.model_copy(update={"redis_url": redis_url})


@pytest.fixture
def reconcile(store: Store) -> Iterator[Once]:
    """Does the periodic work once; what it leaves running ends with the test."""
    with ExitStack() as stack:

        def once(settings: Settings) -> None:
            reconciler = stack.enter_context(closing(Reconciler(store, settings, "here")))
            reconciler.run_once()

        yield once


def a_job(**changes: object) -> NewJob:
    payload = Payload(("好",), single=True)
    return NewJob("t", "moderation", payload, 1, **changes)  # type: ignore[arg-type]


def published(settings: Settings) -> list[str]:
    client = connect(settings.redis_url, 5.0)
    return [message["headers"]["id"] for message in messages_of(client, QUEUE)]


def test_jobs_of_a_silent_worker_run_again(store: Store, live: Settings, reconcile: Once) -> None:
    job = a_job()
    store.jobs.insert([job])
    store.leases.register("w1", "gone", ["moderation"], 0.0)
    store.claims.claim("w1", [job.id])
    reconcile(live)
    assert store.jobs.get("t", job.id).state is JobState.QUEUED
    assert published(live) == [job.id]


def test_what_could_not_be_published_is_published_in_order(
    store: Store, live: Settings, reconcile: Once
) -> None:
    jobs = [a_job() for _ in range(3)]
    store.jobs.insert(jobs)
    store.jobs.unpublish([job.id for job in jobs])
    away = live.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    reconcile(away)
    assert published(live) == []
    reconcile(live)
    assert published(live) == [job.id for job in jobs]
    reconcile(live)
    assert len(published(live)) == 3


def test_a_redis_that_lost_its_data_is_filled_again(
    store: Store, live: Settings, reconcile: Once
) -> None:
    reconcile(live)
    jobs = [a_job() for _ in range(3)]
    store.jobs.insert(jobs)
    Publisher(connect(live.redis_url, 5.0)).publish(jobs)
    reconcile(live)
    assert len(published(live)) == 3
    with redis.Redis.from_url(live.redis_url) as client:
        client.flushall()
    reconcile(live)
    assert sorted(published(live)) == sorted(job.id for job in jobs)


def test_a_later_job_is_published_when_it_is_due(
    store: Store, live: Settings, reconcile: Once
) -> None:
    later, due = a_job(run_at=4_000_000_000.0), a_job(run_at=1.0)
    store.jobs.insert([later, due])
    store.jobs.unpublish([due.id])
    reconcile(live)
    assert published(live) == [due.id]


def test_a_queue_is_refilled_up_to_half_its_window(
    store: Store, live: Settings, reconcile: Once
) -> None:
    jobs = [a_job() for _ in range(10)]
    store.jobs.insert(jobs)
    store.jobs.unpublish([job.id for job in jobs])
    reconcile(live.model_copy(update={"publish_window": 8}))
    assert published(live) == [job.id for job in jobs[:4]]


def test_late_jobs_expire(store: Store, live: Settings, reconcile: Once) -> None:
    job = a_job(ttl_seconds=-1.0)
    store.jobs.insert([job])
    reconcile(live)
    seen = store.jobs.get("t", job.id)
    assert seen.state is JobState.EXPIRED
    assert seen.error is not None
    assert seen.error["code"] == "expired"


def test_one_process_at_a_time(
    store: Store, live: Settings, reconcile: Once, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "_LOCK_SECONDS", 60.0)
    assert store.leases.hold("reconciler", "another", 60.0)
    job = a_job()
    store.jobs.insert([job])
    store.jobs.unpublish([job.id])
    reconcile(live)
    assert published(live) == []
    assert store.leases.hold("reconciler", "another", 0.0)
    reconcile(live)
    assert published(live) == [job.id]
