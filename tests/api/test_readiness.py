"""Readiness follows the database, misses Redis, and is looked at once a second."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import event, text

from api import readiness
from api.readiness import Readiness, ReadinessProbe
from lepton_tasks.broker.connection import connect
from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.launcher.ports import free_port
from lepton_tasks.store.database import Database
from lepton_tasks.store.store import Store

TASKS = ["moderation", "generation"]


def test_workers_and_redis_are_reported(store: Store, redis_url: str) -> None:
    store.leases.register("w1", "one", ["moderation"], 60)
    seen = asyncio.run(ReadinessProbe(store, connect(redis_url, 2.0), TASKS).look())
    assert (seen.ready, seen.redis, seen.missing) == (True, "ok", [])
    assert seen.workers == {"moderation": 1, "generation": 0}


def test_a_redis_that_is_away_leaves_it_ready(store: Store) -> None:
    client = connect(f"redis://127.0.0.1:{free_port()}/0", 0.5)
    seen = asyncio.run(ReadinessProbe(store, client, TASKS).look())
    assert (seen.ready, seen.redis, seen.missing) == (True, "unreachable", ["redis"])


def test_a_redis_that_refuses_us_leaves_it_ready_and_names_no_address(
    store: Store, redis_url: str
) -> None:
    client = connect(redis_url.replace("redis://:", "redis://:not-"), 2.0)
    seen = asyncio.run(ReadinessProbe(store, client, TASKS).look())
    assert (seen.ready, seen.redis, seen.missing) == (True, "unusable", ["redis"])


def test_waiting_jobs_without_a_worker_are_told(store: Store, redis_url: str) -> None:
    store.leases.register("w1", "one", ["generation"], 60)
    later = 4_000_000_000.0
    for task, run_at in (("moderation", None), ("generation", None), ("translation", later)):
        store.jobs.insert([NewJob("a", task, Payload(("好",), True), 1, run_at=run_at)])
    probe = ReadinessProbe(store, connect(redis_url, 2.0), [*TASKS, "translation"])

    async def look() -> tuple[Readiness, dict[str, int] | None]:
        return await probe.look(), await probe.backlog()

    seen, backlog = asyncio.run(look())
    assert seen.ready
    assert seen.missing == ["worker:moderation"]
    assert set(seen.oldest) == {"moderation.normal", "generation.normal"}
    assert backlog == dict.fromkeys([*seen.oldest, "translation.normal"], 1)


def test_a_count_that_takes_long_holds_up_nobody(
    store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    counts = store.jobs.backlog
    monkeypatch.setattr(store.jobs, "backlog", lambda: go_on.wait() and counts())
    probe = ReadinessProbe(store, connect(redis_url, 2.0), TASKS)

    async def counted() -> list[object]:
        seen: list[object] = [await probe.backlog(), await probe.backlog()]
        seen.append((await probe.look()).ready)
        go_on.set()
        while await probe.backlog() is None:
            await asyncio.sleep(0.01)
        return seen

    assert asyncio.run(counted()) == [None, None, True]


def test_a_database_that_is_away_is_not_ready(redis_url: str) -> None:
    database = Database(f"postgresql+psycopg://nobody:x@127.0.0.1:{free_port()}/none")
    probe = ReadinessProbe(Store(database), connect(redis_url, 2.0), TASKS)
    seen = asyncio.run(probe.look())
    assert (seen.ready, seen.database, seen.redis) == (False, "unreachable", "ok")
    assert seen.missing == ["database"]


def refuse_writes(database: Database) -> Callable[[], None]:
    """Make a database read-only for those who take a connection; returns what ends that."""
    on, off = ("PRAGMA query_only=ON", "PRAGMA query_only=OFF")
    if database.dialect == "postgresql":
        on, off = (f"SET default_transaction_read_only={value}" for value in ("on", "off"))
    says = [on]

    def apply(connection: Any, *_: object) -> None:
        with closing(connection.cursor()) as cursor:
            cursor.execute(says[0])
        if database.dialect == "postgresql":
            connection.commit()

    event.listen(database.engine, "checkout", apply)
    return lambda: says.__setitem__(0, off)


def test_a_database_that_can_only_be_read_is_missed_and_noticed_when_it_is_back(
    store: Store,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(readiness, "_KEEP_SECONDS", 0.0)
    monkeypatch.setattr(readiness, "_BETWEEN_TRIALS_SECONDS", 0.0)
    monkeypatch.setattr(readiness, "_TRIAL_SECONDS", 60.0)
    probe = ReadinessProbe(store, connect(redis_url, 2.0), TASKS)

    async def looks() -> list[Readiness]:
        seen = [await probe.look()]
        write_again = refuse_writes(store.database)
        seen += [await probe.look(), await probe.look()]
        write_again()
        return [*seen, await probe.look()]

    before, *without, after = asyncio.run(looks())
    assert before.ready and after.ready
    for seen in without:
        assert (seen.ready, seen.database, seen.missing) == (
            False,
            "cannot be written",
            ["database"],
        )
    [said] = [line for line in caplog.messages if "cannot be used" in line]  # once
    assert "read" in said


def test_writing_is_tried_every_few_seconds_however_many_look(
    store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Database] = []
    monkeypatch.setattr(readiness, "try_writing", tried.append)
    monkeypatch.setattr(readiness, "_KEEP_SECONDS", 0.0)
    monkeypatch.setattr(readiness, "_BETWEEN_TRIALS_SECONDS", 3_600.0)
    probe = ReadinessProbe(store, connect(redis_url, 2.0), TASKS)

    async def look() -> None:
        for _ in range(5):
            assert (await probe.look()).ready

    asyncio.run(look())
    assert tried == [store.database]


def test_a_database_that_is_busy_writing_is_ready(
    store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(readiness, "_TRIAL_SECONDS", 0.05)
    monkeypatch.setattr(readiness, "try_writing", lambda _: go_on.wait(60.0))
    probe = ReadinessProbe(store, connect(redis_url, 2.0), TASKS)
    assert asyncio.run(probe.look()).ready
    go_on.set()


def test_another_schema_is_not_ready_and_is_noticed(store: Store, redis_url: str) -> None:
    probe = ReadinessProbe(store, connect(redis_url, 2.0), TASKS)

    async def before_and_after() -> tuple[bool, bool, bool]:
        before = await probe.look()
        with store.database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        at_once = await probe.look()
        await asyncio.sleep(1.1)
        return before.ready, at_once.ready, (await probe.look()).ready

    assert asyncio.run(before_and_after()) == (True, True, False)
