"""Real workers go on without Redis, whatever way it is away, and go back to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from tests.support.noop import NoopBench, noop_bench
from tests.support.outages import OUTAGES, Behind
from tests.support.proxy import Proxy

AWAY = "Redis does not answer"
BACK = "Redis answers again"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """A Redis of its own, reached through a proxy."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis")) as server, Proxy(server.port) as proxy:
        yield Behind(server, proxy)


@pytest.fixture(scope="module")
def bench(behind: Behind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NoopBench]:
    folder = tmp_path_factory.mktemp("away")
    settings = Settings(home=folder, redis_url=behind.url, lease_seconds=3.0)
    with noop_bench(settings, folder / "worker.log") as bench:
        yield bench


def count(bench: NoopBench, words: str) -> int:
    return bench.worker.log.read_text().count(words)


def done_once(bench: NoopBench, ids: list[str]) -> None:
    jobs = bench.ended(ids)
    assert {(job.state, job.attempts) for job in jobs} == {(JobState.SUCCEEDED, 1)}


@pytest.mark.parametrize("kind", ["half-open", "paused", "refusing"])
def test_jobs_are_done_from_the_store_while_redis_is_away(
    bench: NoopBench, behind: Behind, kind: str
) -> None:
    before = count(bench, AWAY)
    sent = bench.submit()
    with OUTAGES[kind](behind):
        done_once(bench, [sent] + [bench.submit(f"离线 {n}") for n in range(20)])
        bench.until(lambda: count(bench, AWAY) > before)
        done_once(bench, bench.unpublished(5))
    bench.until(lambda: count(bench, BACK) == count(bench, AWAY))
    done_once(bench, [bench.submit() for _ in range(5)])


def test_what_a_redis_that_takes_no_messages_cannot_bring_is_taken(
    bench: NoopBench, behind: Behind
) -> None:
    with OUTAGES["read-only"](behind):
        done_once(bench, [bench.submit() for _ in range(5)])


def test_a_worker_starts_and_ends_without_redis(settings: Settings, tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis")
    live = settings.model_copy(update={"redis_url": server.url})
    with noop_bench(live, tmp_path / "worker.log", hears=False) as bench:
        assert count(bench, "LEPTON_REDIS_URL") == 1
        done_once(bench, [bench.submit() for _ in range(5)])
        server.start()
        try:
            bench.until(lambda: count(bench, BACK) >= 1)
            inspect = bench.app.control.inspect(timeout=1.5)
            bench.until(lambda: bool(inspect.ping()))
            done_once(bench, [bench.submit() for _ in range(5)])
        finally:
            server.stop()
        done_once(bench, [bench.submit() for _ in range(5)])
        with bench.held_up():
            held = bench.submit()
            bench.until(lambda: bench.jobs([held])[0].state is JobState.RUNNING)
        assert bench.worker.terminate() == 0
        assert bench.store.leases.alive() == []
        assert bench.jobs([held])[0].state in {JobState.SUCCEEDED, JobState.QUEUED}
