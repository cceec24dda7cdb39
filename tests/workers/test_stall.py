"""A worker that claims nothing although jobs wait and it has room finds that out and ends."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.queues import Priority
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.database import Database
from lepton_tasks.store.due import Queue
from lepton_tasks.store.schema import upgrade_schema
from tests.support.noop import PATIENCE, noop_bench
from tests.support.postgres import TestPostgres
from workers.stall import StallWatch

NORMAL = ("moderation", Priority.NORMAL)


class Bench:
    """A watch over a worker with room, whose oldest job became due at 0."""

    def __init__(self) -> None:
        self.now = 0.0
        self.claimed_at = 0.0
        self.free = 10
        self.waiting = True
        self.store_is_away = False
        self.reasons: list[str] = []
        self.watch = StallWatch(
            self.oldest,
            lambda: [NORMAL],
            lambda: self.free,
            lambda: self.claimed_at,
            30.0,
            self.reasons.append,
            lambda: self.now,
        )

    def oldest(self, queues: Sequence[Queue], older_than: float) -> Mapping[Queue, float]:
        if self.store_is_away:
            raise StoreUnavailable("away")
        overdue = self.waiting and self.now >= older_than
        return {queue: self.now for queue in queues if overdue}

    def until(self, second: int) -> list[str]:
        while self.now < second:
            self.now += 1.0
            self.watch.look()
        return self.reasons


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_it_ends_after_its_time_and_says_why(bench: Bench) -> None:
    assert bench.until(29) == []
    [reason] = bench.until(31)
    assert "moderation.normal has waited for 30 s" in reason
    assert "LEPTON_STALL_SECONDS" in reason


def test_not_while_it_claims(bench: Bench) -> None:
    for second in range(10, 200, 10):
        bench.claimed_at = bench.now
        assert bench.until(second) == []


def test_not_while_it_has_no_room(bench: Bench) -> None:
    bench.free = 0
    assert bench.until(200) == []
    bench.free = 1
    assert bench.until(229) == []
    assert bench.until(231)


def test_not_while_nothing_waits(bench: Bench) -> None:
    bench.waiting = False
    assert bench.until(200) == []


def test_the_time_without_a_store_does_not_count(bench: Bench) -> None:
    bench.store_is_away = True
    for second in range(1, 200):
        try:
            bench.until(second)
        except StoreUnavailable:
            continue
    bench.store_is_away = False
    assert bench.until(205) == []
    assert bench.until(240)


def test_a_process_that_cannot_claim_ends_as_a_failure(
    settings: Settings, redis_url: str, postgres: TestPostgres, tmp_path: Path
) -> None:
    """Somebody has locked the row, as a session that hangs would."""
    url = postgres.fresh_database()
    upgrade_schema(Database(url))
    live = settings.model_copy(
        update={"redis_url": redis_url, "database_url": url, "stall_seconds": 1.0}
    )
    with noop_bench(live, tmp_path / "worker.log") as bench:
        job_id = bench.producer.submit("noop", "稍后", run_at=time.time() + 2).id
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("SELECT id FROM jobs FOR UPDATE")).all()
            assert bench.worker.process.wait(PATIENCE) == 1
        engine.dispose()
        assert "LEPTON_STALL_SECONDS" in bench.worker.log.read_text()
        assert bench.store.leases.alive() == []
        assert bench.jobs([job_id])[0].state is JobState.QUEUED
