"""Wake-ups reach who waits for them, and a Redis that is away makes nobody fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.wakeups import CHANNEL, DELIVERIES_CHANNEL, Waiter, announce
from lepton_tasks.launcher.ports import free_port


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return connect(redis_url, 5.0)


@pytest.fixture
def waiter(client: redis.Redis) -> Iterator[Waiter]:
    """A waiter that has subscribed."""
    waiter = Waiter(client)
    with waiter.watch() as watch:
        assert watch.wait(30)  # whoever subscribes looks again: something may have been missed
    yield waiter
    waiter.close()


def test_who_watches_any_hears_of_each(waiter: Waiter, client: redis.Redis) -> None:
    with waiter.watch() as watch:
        for name in ("job_1", "job_2"):
            announce(client, [name])
            assert watch.wait(30)
        assert not watch.wait(0.01)


def test_who_watches_a_job_does_not_wake_for_others(waiter: Waiter, client: redis.Redis) -> None:
    with waiter.watch("job_2") as watch:
        announce(client, ["job_1"])
        assert not watch.wait(0.3)
        announce(client, ["job_1", "job_2"])
        assert watch.wait(30)


def test_an_end_between_reading_and_waiting_is_not_missed(
    waiter: Waiter, client: redis.Redis
) -> None:
    """The listening is another's, who hears of both jobs before the second one waits."""
    with waiter.watch("job_1") as listens, waiter.watch("job_2") as late:
        announce(client, ["job_2"])
        announce(client, ["job_1"])
        assert listens.wait(30)
        assert late.told
        assert late.wait(30)


def test_each_thread_wakes_for_its_own_job(waiter: Waiter, client: redis.Redis) -> None:
    names = [f"job_{number}" for number in range(24)]
    watching = threading.Barrier(len(names) + 1)

    def wait(name: str) -> bool:
        with waiter.watch(name) as watch:
            watching.wait(30)
            end = time.monotonic() + 30
            while time.monotonic() < end:
                if watch.wait(30):
                    return True
            return False

    with ThreadPoolExecutor(len(names)) as pool:
        waits = [pool.submit(wait, name) for name in names]
        watching.wait(30)
        for name in names:
            announce(client, [name])
        assert all(one.result(60) for one in waits)
    assert not waiter._watches
    assert not waiter._asleep


def test_the_listening_is_handed_on(waiter: Waiter, client: redis.Redis) -> None:
    """Who listens gives up; the other one still hears of its job."""
    with ThreadPoolExecutor(1) as pool, waiter.watch("job_2") as listens:
        with waiter.watch("job_1") as other:
            heir = pool.submit(listens.wait, 30)
            assert not other.wait(0.1)
        announce(client, ["job_2"])
        assert heir.result(60)


def test_both_channels_are_told(client: redis.Redis) -> None:
    with client.pubsub(ignore_subscribe_messages=True) as heard:  # type: ignore[no-untyped-call]
        heard.subscribe(CHANNEL, DELIVERIES_CHANNEL)
        while heard.get_message(timeout=0.2) is not None:
            continue
        announce(client, ["job_1", "job_2"], deliveries=True)
        announce(client, [])
        announce(client, [], deliveries=True)
        messages: list[tuple[str, bytes]] = []
        end = time.monotonic() + 30
        while len(messages) < 3 and time.monotonic() < end:
            message = heard.get_message(timeout=1.0)
            if message is not None:
                messages.append((message["channel"].decode(), message["data"]))
    assert messages == [
        (CHANNEL, b"job_1\njob_2"),
        (DELIVERIES_CHANNEL, b"1"),
        (DELIVERIES_CHANNEL, b"1"),
    ]


def test_no_redis_is_no_error() -> None:
    client = connect(f"redis://127.0.0.1:{free_port()}/0", 0.2)
    announce(client, ["job_1"], deliveries=True)
    with Waiter(client).watch() as watch:
        assert not watch.wait(0.05)
