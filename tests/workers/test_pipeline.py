"""A real worker whose model does what a text says: cancelling, poison, urgent work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery.result import AsyncResult

from lepton_tasks.broker.messages import thin_message
from lepton_tasks.celery.app import make_app
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.jobs import Job, Submitted
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store, open_store
from tests.support.plugins import SCRIPTED, installed
from tests.support.worker import WorkerProcess

WAIT = 60.0
WINDOW = 32


class Bench:
    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.producer = Producer(settings, store)
        self.app = make_app(settings, ["scripted"])

    def submit(self, *texts: str, priority: str = "normal") -> Submitted:
        return self.producer.submit("scripted", inputs=texts, priority=priority)

    def ended(self, submitted: Submitted) -> Job:
        job = self.producer.wait(submitted.id, WAIT)
        assert job.finished_at is not None
        return job

    def forwards(self) -> int:
        """Forward passes so far, this one included."""
        forward: int = self.ended(self.submit("answer")).output()[0]["forward"]
        return forward

    def until_running(self, submitted: Submitted) -> None:
        end = time.monotonic() + WAIT
        while self.producer.get(submitted.id).state is not JobState.RUNNING:
            assert time.monotonic() < end
            time.sleep(0.02)

    def hold(self, path: Path) -> Submitted:
        """Keep the model at a text of its own until there is ``path.go``."""
        held = self.submit(f"hold {path}")
        end = time.monotonic() + WAIT
        while not Path(f"{path}.started").exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        return held

    def bulk_done(self) -> int:
        return sum(
            job.state is JobState.SUCCEEDED and job.priority == "bulk"
            for job in self.store.jobs.page("default", limit=2000)
        )


@pytest.fixture(scope="module")
def bench(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("pipeline")
    with installed(SCRIPTED):
        settings = Settings(
            home=folder,
            redis_url=redis_server.url[:-1] + "2",
            lease_seconds=3.0,
            window_items=WINDOW,
            token_budget=WINDOW,
            retries=2,
            retry_seconds=0.5,
        )
        store = open_store(settings)
        worker = WorkerProcess(settings, store, folder / "worker.log", tasks=["scripted"])
        with worker:
            yield Bench(settings, store)
        store.close()


def test_one_raising_item_among_32_fails_alone(bench: Bench) -> None:
    before = bench.forwards()
    texts = [f"answer {number}" for number in range(31)]
    job = bench.ended(bench.submit(*texts[:17], "raise", *texts[17:]))
    failed = [place for place, output in enumerate(job.output()) if "error" in output]
    assert (job.state, failed) == (JobState.SUCCEEDED, [17])
    assert job.output()[17]["error"]["code"] == "model_error"
    assert bench.forwards() - before - 1 <= 11


def test_an_input_that_cannot_be_encoded_fails_alone(bench: Bench) -> None:
    job = bench.ended(bench.submit("answer", "encode raise", "回答"))
    assert [output.get("error", {}).get("code") for output in job.output()] == [
        None,
        "encoding_failed",
        None,
    ]


def test_what_is_away_for_now_is_computed_later(bench: Bench) -> None:
    events: list[dict[str, Any]] = []
    with bench.app.connection() as connection:
        receiver = bench.app.events.Receiver(connection, handlers={"*": events.append})
        capture = receiver.itercapture(limit=None, timeout=WAIT, wakeup=False)
        next(capture)  # listening from here on
        submitted = bench.submit("away 2", "回答")
        for _ in capture:
            kinds = [event["type"] for event in events if event.get("uuid") == submitted.id]
            if "task-succeeded" in kinds:
                break
    assert kinds.count("task-retried") == 2
    job = bench.ended(submitted)
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 3)
    assert all("error" not in output for output in job.output())


def test_a_failure_that_stays_is_final_with_its_reason(bench: Bench) -> None:
    job = bench.ended(bench.submit("memory"))
    assert (job.state, job.attempts) == (JobState.FAILED, 3)
    assert job.error is not None
    assert job.error["code"] == "out_of_memory"


def test_a_job_that_waits_for_its_next_try_can_be_cancelled(bench: Bench) -> None:
    submitted = bench.submit("away 99")
    end = time.monotonic() + WAIT
    while bench.producer.get(submitted.id).attempts < 1:
        assert time.monotonic() < end
        time.sleep(0.02)
    bench.producer.cancel(submitted.id)
    assert bench.ended(submitted).state is JobState.CANCELLED


def test_a_cancelled_job_in_the_window_is_not_computed(bench: Bench, tmp_path: Path) -> None:
    before = bench.forwards()
    held = bench.hold(tmp_path / "model")
    unwanted = bench.submit("sleep 60")
    bench.until_running(unwanted)
    bench.producer.cancel(unwanted.id)
    time.sleep(bench.settings.lease_seconds)  # by then the worker has asked what is cancelled
    (tmp_path / "model.go").touch()
    assert bench.ended(held).state is JobState.SUCCEEDED
    assert bench.ended(unwanted).state is JobState.CANCELLED
    assert bench.forwards() == before + 2


def test_a_revoked_task_in_the_window_is_not_computed(bench: Bench) -> None:
    slow = bench.submit("sleep 2")
    bench.until_running(slow)
    unwanted = bench.submit("sleep 60")
    bench.until_running(unwanted)
    bench.app.control.revoke(unwanted.id)
    assert bench.ended(slow).state is JobState.SUCCEEDED
    assert bench.ended(unwanted).state is JobState.CANCELLED
    assert AsyncResult(unwanted.id, app=bench.app).status == "REVOKED"


def test_an_id_that_no_database_can_hold_stops_nobody(bench: Bench) -> None:
    with redis.Redis.from_url(bench.settings.redis_url) as client:
        client.lpush("scripted.normal", thin_message("a\x00b", "scripted", "normal"))
        assert bench.ended(bench.submit("answer")).state is JobState.SUCCEEDED
        assert client.llen("lepton:quarantine") == 1


def test_urgent_work_passes_a_full_window(bench: Bench) -> None:
    for number in range(15 * WINDOW):
        bench.submit(f"sleep 0.01 {number}", priority="bulk")
    while bench.bulk_done() < WINDOW:
        time.sleep(0.05)
    before = bench.bulk_done()
    bench.ended(bench.submit("answer", priority="high"))
    assert bench.bulk_done() - before <= 4 * WINDOW
