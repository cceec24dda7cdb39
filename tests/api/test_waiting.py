from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
import redis

from api.waiting import Waiting
from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.wakeups import announce
from lepton_tasks.launcher.ports import free_port


class Ended:
    """A store in which the named jobs have ended."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.asked: list[list[str]] = []

    def ended(self, job_ids: Sequence[str]) -> set[str]:
        self.asked.append(list(job_ids))
        return self.ids & set(job_ids)


async def running(waiting: Waiting) -> asyncio.Task[None]:
    task = asyncio.create_task(waiting.run())
    await asyncio.sleep(0)
    return task


async def heard(client: redis.Redis, job_ids: Sequence[str], *events: asyncio.Event) -> None:
    """Announce until all ``events`` are set: a connection may break, and hears later again."""
    end = asyncio.get_running_loop().time() + 120
    while not all(event.is_set() for event in events):
        assert asyncio.get_running_loop().time() < end
        announce(client, job_ids)
        await asyncio.sleep(0.05)


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_an_announcement_wakes_all_who_wait_for_the_job_and_nobody_else(redis_url: str) -> None:
    async def scenario() -> None:
        waiting = Waiting(Ended(), redis_url, poll_seconds=60)
        task = await running(waiting)
        with (
            redis.Redis.from_url(redis_url) as client,
            waiting.watch("job_a") as one,
            waiting.watch("job_a") as two,
            waiting.watch("job_b") as other,
        ):
            await heard(client, ["job_x", "job_a"], one, two)
            assert not other.is_set()
        await stop(task)

    asyncio.run(scenario())


def test_it_listens_over_tls_and_to_the_master_of_a_sentinel(guarded_redis_url: str) -> None:
    async def scenario() -> None:
        waiting = Waiting(Ended(), guarded_redis_url, poll_seconds=60)
        task = await running(waiting)
        with connect(guarded_redis_url, 5.0) as client, waiting.watch("job_a") as woken:
            await heard(client, ["job_a"], woken)
        await stop(task)

    asyncio.run(scenario())


def test_one_subscription_serves_thousands(redis_url: str) -> None:
    async def scenario() -> None:
        waiting = Waiting(Ended(), redis_url, poll_seconds=60)
        task = await running(waiting)
        names = [f"job_{number}" for number in range(3_000)]

        async def wait_for(name: str) -> None:
            with waiting.watch(name) as woken:
                await woken.wait()

        waits = [asyncio.create_task(wait_for(name)) for name in names]
        with redis.Redis.from_url(redis_url) as client:
            while client.pubsub_numsub("lepton:done")[0][1] == 0:
                await asyncio.sleep(0.01)
            assert client.pubsub_numsub("lepton:done")[0][1] == 1
            while not all(one.done() for one in waits):
                announce(client, names)
                await asyncio.sleep(0.05)
        await asyncio.wait_for(asyncio.gather(*waits), 60)
        await stop(task)

    asyncio.run(scenario())


def test_without_redis_the_store_is_asked_in_pages(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        store = Ended()
        store.ids = {"job_7"}
        url = f"redis://127.0.0.1:{free_port()}/0"
        waiting = Waiting(store, url, poll_seconds=0.05)
        task = await running(waiting)
        with waiting.watch("job_7") as woken:
            others = [waiting.watch(f"job_{number}") for number in range(100, 1_100)]
            for other in others:
                other.__enter__()
            await asyncio.wait_for(woken.wait(), 20)
            for other in others:
                other.__exit__(None, None, None)
        assert max(len(page) for page in store.asked) <= 500
        await asyncio.sleep(0.3)
        await stop(task)

    asyncio.run(scenario())
    assert caplog.text.count("polling the store") == 1  # said once, not at every try


def test_a_store_that_fails_is_asked_again(redis_url: str) -> None:
    from lepton_tasks.errors import StoreUnavailable

    class Moody(Ended):
        def ended(self, job_ids: Sequence[str]) -> set[str]:
            if len(self.asked) < 2:
                self.asked.append([])
                raise StoreUnavailable("away")
            return set(job_ids)

    async def scenario() -> None:
        waiting = Waiting(Moody(), redis_url, poll_seconds=0.05)
        task = await running(waiting)
        with waiting.watch("job_1") as woken:
            await asyncio.wait_for(woken.wait(), 20)
        await stop(task)

    asyncio.run(scenario())


def test_release_lets_everybody_go_now_and_later(redis_url: str) -> None:
    async def scenario() -> None:
        waiting = Waiting(Ended(), redis_url)
        with waiting.watch("job_1") as before:
            waiting.release()
            assert before.is_set()
        with waiting.watch("job_2") as after:
            assert after.is_set()

    asyncio.run(scenario())
