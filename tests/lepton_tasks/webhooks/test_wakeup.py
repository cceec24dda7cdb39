from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import redis

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.wakeups import announce
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.webhooks.wakeup import listen


async def woken(wake: asyncio.Event) -> None:
    await asyncio.wait_for(wake.wait(), 20)
    wake.clear()


def test_it_wakes_at_an_announcement_and_survives_a_broken_connection(
    tmp_path: Path,
) -> None:
    async def run(server: EmbeddedRedis) -> None:
        wake, stop = asyncio.Event(), asyncio.Event()
        listening = asyncio.create_task(listen(server.url, wake.set, stop))
        await woken(wake)  # once it is subscribed
        with redis.Redis.from_url(server.url) as client:
            for _ in range(3):
                announce(client, [], deliveries=True)
                await woken(wake)
            announce(client, ["job_1"], deliveries=False)
            client.client_kill_filter(_type="pubsub")
            await woken(wake)  # subscribed again
        stop.set()
        await asyncio.wait_for(listening, 20)

    with EmbeddedRedis(tmp_path) as server:
        asyncio.run(run(server))


def test_it_listens_over_tls_and_to_the_master_of_a_sentinel(guarded_redis_url: str) -> None:
    async def run() -> None:
        wake, stop = asyncio.Event(), asyncio.Event()
        listening = asyncio.create_task(listen(guarded_redis_url, wake.set, stop))
        await woken(wake)  # once it is subscribed
        with connect(guarded_redis_url, 5.0) as client:
            announce(client, [], deliveries=True)
        await woken(wake)
        stop.set()
        await asyncio.wait_for(listening, 20)

    asyncio.run(run())


def test_an_absent_redis_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        stop = asyncio.Event()
        listening = asyncio.create_task(listen("redis://127.0.0.1:1/0", lambda: None, stop))
        while "webhook wake-ups" not in caplog.text:
            await asyncio.sleep(0.02)
        assert not listening.done()
        stop.set()
        await listening

    asyncio.run(asyncio.wait_for(run(), 20))
