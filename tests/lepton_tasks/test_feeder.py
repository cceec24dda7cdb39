"""Queues are refilled tenant by tenant, within their window, and nothing is lost or sent twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.publisher import Publisher
from lepton_tasks.errors import BrokerUnavailable
from lepton_tasks.feeder import Feeder
from lepton_tasks.jobs import FinishedJob, NewJob, Payload
from lepton_tasks.launcher.ports import free_port
from lepton_tasks.producer import Producer
from lepton_tasks.queues import Priority
from lepton_tasks.reconciler import Reconciler
from lepton_tasks.requests import JobRequest
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store
from lepton_tasks.window import Allowance
from tests.support.message import ids_of

QUEUE = "moderation.normal"


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url, 5.0) as client:
        yield client


def a_job(tenant: str, cost: int = 8, **changes: object) -> NewJob:
    payload = Payload(("好",), single=True)
    return NewJob(tenant, "moderation", payload, cost, **changes)  # type: ignore[arg-type]


def wait_in_sql(store: Store, *jobs: NewJob) -> list[str]:
    store.jobs.insert_groups([jobs], lambda _: Allowance(0))
    return [job.id for job in jobs]


def drain(client: redis.Redis, count: int, queue: str = QUEUE) -> list[str]:
    """Pop messages as a worker does; returns the ids of their jobs."""
    popped = client.rpop(queue, count) or []
    return ids_of(popped)  # type: ignore[arg-type]


def test_tenants_alternate_and_the_window_holds(store: Store, client: redis.Redis) -> None:
    tenant = dict.fromkeys(wait_in_sql(store, *(a_job("a") for _ in range(400))), "a")
    tenant |= dict.fromkeys(wait_in_sql(store, *(a_job("b") for _ in range(60))), "b")
    feeder = Feeder(store, Publisher(client), window=80)
    order: list[str] = []
    while feeder.feed().more or client.llen(QUEUE):
        assert client.llen(QUEUE) <= 40
        order += drain(client, 25)
    assert len(order) == len(set(order)) == 460
    assert set(order) == set(tenant)
    # Half of what comes first is b's, whose jobs were all submitted behind a's.
    share = Counter(tenant[one] for one in order[:120])
    assert share["b"] >= 50
    for name in "ab":
        mine = [one for one in order if tenant[one] == name]
        assert mine == sorted(mine)  # ids sort by age


def test_a_window_larger_than_many_transactions_is_refilled(
    store: Store, client: redis.Redis
) -> None:
    wait_in_sql(store, *(a_job("a") for _ in range(1_500)))
    feeder = Feeder(store, Publisher(client), window=20_000)
    while feeder.feed().more:
        continue
    assert client.llen(QUEUE) == 1_500


def test_tenants_share_by_cost(store: Store, client: redis.Redis) -> None:
    large = set(wait_in_sql(store, *(a_job("large", 640) for _ in range(40))))
    wait_in_sql(store, *(a_job("small", 16) for _ in range(400)))
    feeder = Feeder(store, Publisher(client), window=400)
    assert feeder.feed() == (200, True)
    first = drain(client, 200)
    assert 3 <= sum(one in large for one in first) <= 7  # 640 tokens are 40 of the small jobs


def test_urgent_queues_and_due_jobs_alone(store: Store, client: redis.Redis) -> None:
    [bulk] = wait_in_sql(store, a_job("a", priority=Priority.BULK))
    [high] = wait_in_sql(store, a_job("a", priority=Priority.HIGH))
    wait_in_sql(store, a_job("a", run_at=4_000_000_000.0))
    [due] = wait_in_sql(store, a_job("a", run_at=5.0))
    assert Feeder(store, Publisher(client), window=10).feed() == (3, False)
    assert drain(client, 9, "moderation.high") == [high]
    assert drain(client, 9) == [due]
    assert drain(client, 9, "moderation.bulk") == [bulk]
    assert store.jobs.backlog() == {("moderation", one): n for one, n in
                                    (("high", 1), ("normal", 2), ("bulk", 1))}  # fmt: skip


def test_a_queue_that_is_full_enough_is_left_alone(store: Store, client: redis.Redis) -> None:
    wait_in_sql(store, *(a_job("a") for _ in range(100)))
    feeder = Feeder(store, Publisher(client), window=80)
    assert feeder.feed() == (40, True)
    assert feeder.feed() == (0, True)
    drain(client, 9)
    assert feeder.feed() == (0, True)  # less than a quarter is free
    drain(client, 1)
    assert feeder.feed() == (10, True)


def test_what_redis_does_not_take_waits(store: Store, client: redis.Redis) -> None:
    ids = wait_in_sql(store, *(a_job("a") for _ in range(3)))
    away = Publisher(connect(f"redis://127.0.0.1:{free_port()}/0", 0.5))

    class HalfAway(Publisher):
        """Answers questions and takes nothing, as a Redis whose memory is full."""

        publish = away.publish

    with pytest.raises(BrokerUnavailable):
        Feeder(store, HalfAway(client), window=80).feed()
    assert Feeder(store, Publisher(client), window=80).feed() == (3, False)
    assert drain(client, 9) == ids


def test_a_long_backlog_stays_in_sql_and_lets_others_through(
    store: Store, settings: Settings, client: redis.Redis, redis_url: str
) -> None:
    live = settings.model_copy(update={"redis_url": redis_url, "publish_window": 400})
    with Producer(live, store) as producer, closing(Reconciler(store, live, "here")) as reconciler:
        reconciler.run_once()
        flood = (JobRequest("moderation", f"第 {n} 个") for n in range(20_000))
        ours = {answer.id for answer in producer.submit_many(flood, tenant="flood")}
        assert client.llen(QUEUE) == 200
        [other] = producer.submit_many([JobRequest("moderation", "hello")], tenant="quiet")
        position = client.llen(QUEUE)
        order: list[str] = []
        deadline = time.monotonic() + 60
        while len(order) < 3_000:
            if len(order) % 500 == 0:
                reconciler.run_once()
            order += drain(client, 50)
            assert client.llen(QUEUE) <= 400
            assert time.monotonic() < deadline
        assert 0 < order.index(other.id) < position <= 400
        assert len(set(order)) == len(order)
        assert set(order) - {other.id} <= ours
    assert store.jobs.backlog() == {("moderation", "normal"): 20_001}


def test_two_tenants_through_a_worker_that_nobody_starves(
    store: Store, settings: Settings, client: redis.Redis, redis_url: str
) -> None:
    """All jobs are done once; the small tenant's long before the large one's."""
    live = settings.model_copy(update={"redis_url": redis_url, "publish_window": 40})
    done: list[str] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            claims = store.claims.claim("w1", drain(client, 8))
            done.extend(store.claims.finish([FinishedJob(one, "{}", None) for one in claims]))
            if not claims:
                time.sleep(0.005)

    worker = threading.Thread(target=work)
    with Producer(live, store) as producer, closing(Reconciler(store, live, "here")) as reconciler:
        large = [JobRequest("moderation", f"大 {n}") for n in range(600)]
        small = [JobRequest("moderation", f"small {n}") for n in range(40)]
        ids = [answer.id for answer in producer.submit_many(large, tenant="large")]
        few = [answer.id for answer in producer.submit_many(small, tenant="small")]
        worker.start()
        try:
            end = time.monotonic() + 60
            while len(done) < 640:
                assert time.monotonic() < end
                reconciler.run_once()
                time.sleep(0.2)
        finally:
            stop.set()
            worker.join()
    assert sorted(done) == sorted(ids + few)
    last = max(done.index(one) for one in few)
    assert last < 400
    states = {job.state for name, some in (("large", ids), ("small", few))
              for job in store.jobs.find(name, some)}  # fmt: skip
    assert states == {JobState.SUCCEEDED}
