"""A producer that has lost Redis submits as if there were none, until it is back."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import count

import pytest

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.publisher import Publishable, Publisher
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from tests.support.proxy import Mode, Proxy

PATIENCE = 60.0


class Counting(Publisher):
    """Counts how often Redis is asked for anything."""

    asked = 0

    def publish(self, jobs: Iterable[Publishable], held_back: bool = False) -> dict[str, int]:
        self.asked += 1
        return super().publish(jobs, held_back)

    def lengths(self, queues: Sequence[str]) -> dict[str, int]:
        self.asked += 1
        return super().lengths(queues)


@pytest.fixture
def proxy(redis_server: EmbeddedRedis) -> Iterator[Proxy]:
    with Proxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def producer(settings: Settings, redis_url: str, proxy: Proxy) -> Iterator[Producer]:
    with Producer(settings.model_copy(update={"redis_url": proxy.url(redis_url)})) as producer:
        yield producer


def test_only_the_first_submit_waits_for_a_redis_that_says_nothing(
    producer: Producer, proxy: Proxy, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = Counting(connect(producer.settings.redis_url, 0.25))
    monkeypatch.setattr(producer, "_publisher", publisher)
    client = connect(redis_url, 5.0)
    producer.submit("moderation", "好")
    assert client.llen("moderation.normal") == 1
    proxy.switch(Mode.DROP)
    before = publisher.asked
    ids = [producer.submit("moderation", f"离线 {n}").id for n in range(50)]
    assert publisher.asked == before + 1
    assert {job.state for job in producer.store.jobs.find("default", ids)} == {JobState.QUEUED}
    proxy.switch(Mode.PASS)
    end = time.monotonic() + PATIENCE
    for n in count():  # of tenants without a backlog
        producer.submit("moderation", "again", priority="high", tenant=f"tenant {n}")
        if client.llen("moderation.high"):
            break
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_wait_asks_the_store_meanwhile(producer: Producer, proxy: Proxy) -> None:
    proxy.switch(Mode.DROP)
    job_id = producer.submit("moderation", "好").id
    assert producer.wait(job_id, 0.1).state is JobState.QUEUED
    producer.cancel(job_id)
    assert producer.wait(job_id, PATIENCE).state is JobState.CANCELLED
