"""Readiness follows the database, misses Redis, and is looked at once a second."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from api.readiness import ReadinessProbe
from lepton_tasks.broker.connection import connect
from lepton_tasks.launcher.ports import free_port
from lepton_tasks.store.store import Store


def test_workers_and_redis_are_reported(store: Store, redis_url: str) -> None:
    store.leases.register("w1", "one", ["moderation"], 60)
    seen = asyncio.run(ReadinessProbe(store, connect(redis_url, 2.0)).look())
    assert (seen.ready, seen.redis, seen.workers) == (True, "ok", {"moderation": 1})


def test_a_redis_that_is_away_leaves_it_ready(store: Store) -> None:
    client = connect(f"redis://127.0.0.1:{free_port()}/0", 0.5)
    seen = asyncio.run(ReadinessProbe(store, client).look())
    assert (seen.ready, seen.redis) == (True, "unreachable")


def test_another_schema_is_not_ready_and_is_noticed(store: Store, redis_url: str) -> None:
    probe = ReadinessProbe(store, connect(redis_url, 2.0))

    async def before_and_after() -> tuple[bool, bool, bool]:
        before = await probe.look()
        with store.database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        at_once = await probe.look()
        await asyncio.sleep(1.1)
        return before.ready, at_once.ready, (await probe.look()).ready

    assert asyncio.run(before_and_after()) == (True, True, False)
