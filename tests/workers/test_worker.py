"""A real worker process: the path of a job, plain Celery producers, kill -9, drain."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from celery.result import AsyncResult

from lepton_tasks.broker.connection import connect
from lepton_tasks.celery.app import make_app
from lepton_tasks.celery.failures import JobFailed
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.jobs import Submitted
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store, open_store
from tests.support.worker import WorkerProcess

WAIT = 60.0
SECRET = "canary-紫色的河马-4711"


class Bench:
    """A worker, a producer and what they share."""

    def __init__(self, settings: Settings, store: Store, worker: WorkerProcess) -> None:
        self.settings = settings
        self.store = store
        self.worker = worker
        self.producer = Producer(settings, store)
        self.app = make_app(settings, ["moderation"])

    def plain_celery(self) -> Celery:
        """A producer that knows no store: Celery, a broker URL, nothing else."""
        return Celery(broker=self.settings.redis_url, set_as_current=False)

    def result(self, task_id: str) -> AsyncResult:
        return AsyncResult(task_id, app=self.app)


@pytest.fixture(scope="module")
def bench(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One worker on SQLite for the tests that leave it running."""
    folder = tmp_path_factory.mktemp("bench")
    # A database of its own: the fixture `redis_url` empties the first one.
    settings = Settings(home=folder, redis_url=redis_server.url[:-1] + "1", lease_seconds=3.0)
    store = open_store(settings)
    with WorkerProcess(settings, store, folder / "worker.log") as worker:
        yield Bench(settings, store, worker)
    store.close()


def test_a_submitted_job_comes_back(bench: Bench) -> None:
    submitted = bench.producer.submit("moderation", "What a lovely morning.")
    job = bench.producer.wait(submitted.id, WAIT)
    assert job.state is JobState.SUCCEEDED
    assert job.output()["language"] == "en"
    assert job.result is not None
    assert job.result["model"]["revision"]


def test_many_jobs_and_lists_keep_their_order(bench: Bench) -> None:
    texts = ["你好，世界", "Good morning", "今天天气不错，我们去公园吧", "See you tomorrow at noon"]
    many = [bench.producer.submit("moderation", inputs=texts) for _ in range(20)]
    for submitted in many:
        job = bench.producer.wait(submitted.id, WAIT)
        assert [output["language"] for output in job.output()] == ["zh", "en", "zh", "en"]


def test_celerys_async_result_reads_the_store(bench: Bench) -> None:
    submitted = bench.producer.submit("moderation", "谢谢你的帮助", priority="high")
    output = bench.result(submitted.id).get(timeout=WAIT)
    assert output["flagged"] is False
    assert bench.result(submitted.id).status == "SUCCESS"


def test_a_plain_celery_producer_is_served(bench: Bench) -> None:
    sent = bench.plain_celery().send_task(
        "lepton.moderation", args=["Thanks for the quick answer!"], queue="moderation.normal"
    )
    assert bench.result(sent.id).get(timeout=WAIT)["language"] == "en"
    assert bench.producer.get(sent.id).id == sent.id


def test_a_plain_celery_list_with_options_is_served(bench: Bench) -> None:
    sent = bench.plain_celery().send_task(
        "lepton.moderation",
        kwargs={"inputs": ["好的", "fine"], "options": {"thresholds": {"toxicity": 0.0}}},
        queue="moderation.bulk",
    )
    assert len(bench.result(sent.id).get(timeout=WAIT)) == 2


@pytest.mark.parametrize(
    ("args", "kwargs", "code"),
    [
        ([], {}, "invalid_input"),
        ([12], {}, "invalid_type"),
        ([""], {}, "empty_text"),
        (["fine"], {"colour": "red"}, "unknown_field"),
        (["fine"], {"options": {"colour": "red"}}, "invalid_option"),
    ],
)
def test_a_plain_message_that_cannot_be_a_job_fails_with_the_reason(
    bench: Bench, args: list[object], kwargs: dict[str, object], code: str
) -> None:
    sent = bench.plain_celery().send_task(
        "lepton.moderation", args=args, kwargs=kwargs, queue="moderation.normal"
    )
    with pytest.raises(JobFailed, match=code):
        bench.result(sent.id).get(timeout=WAIT)


def test_a_pickle_is_quarantined_and_the_worker_lives(bench: Bench, tmp_path: Path) -> None:
    marker = tmp_path / "executed"

    class Payload:
        def __reduce__(self) -> tuple[object, tuple[object]]:
            return (Path.touch, (marker,))

    app = bench.plain_celery()
    app.conf.update(task_serializer="pickle", accept_content=["pickle"])
    app.send_task("lepton.moderation", args=[Payload()], queue="moderation.normal")
    submitted = bench.producer.submit("moderation", "still alive?")
    assert bench.producer.wait(submitted.id, WAIT).state is JobState.SUCCEEDED
    assert not marker.exists()
    client = connect(bench.settings.redis_url, 5.0)
    assert client.llen("lepton:quarantine") == 1
    client.delete("lepton:quarantine")
    assert bench.worker.process.poll() is None


def test_a_duplicate_message_runs_nothing_twice(bench: Bench) -> None:
    submitted = bench.producer.submit("moderation", "once only")
    first = bench.producer.wait(submitted.id, WAIT)
    job = first
    bench.producer._publisher.publish([job] * 3)
    after = bench.producer.submit("moderation", "and one behind it")
    bench.producer.wait(after.id, WAIT)
    again = bench.producer.get(submitted.id)
    assert (again.attempts, again.finished_at) == (1, first.finished_at)


def test_no_text_reaches_logs_events_or_inspection(bench: Bench) -> None:
    events: list[dict[str, object]] = []
    with bench.app.connection() as connection:
        receiver = bench.app.events.Receiver(connection, handlers={"*": events.append})
        consumer = receiver.itercapture(limit=None, timeout=WAIT, wakeup=False)
        next(consumer)  # listening from here on
        own = bench.producer.submit("moderation", SECRET)
        sent = bench.plain_celery().send_task(
            "lepton.moderation", args=[SECRET], kwargs={}, queue="moderation.normal"
        )
        ended: set[object] = set()
        for _ in consumer:
            ended = {event["uuid"] for event in events if event["type"] == "task-succeeded"}
            if ended >= {own.id, sent.id}:
                break
    assert ended >= {own.id, sent.id}
    kinds = [event["type"] for event in events if event.get("uuid") == own.id]
    assert kinds == ["task-received", "task-started", "task-succeeded"]
    inspected = repr(bench.app.control.inspect(timeout=1.5).query_task(own.id, sent.id))
    for seen in (repr(events), bench.worker.log.read_text(), inspected):
        assert SECRET not in seen
        assert "canary" not in seen


def test_workers_are_visible_to_celerys_tools(bench: Bench) -> None:
    inspect = bench.app.control.inspect(timeout=1.5)
    [stats] = inspect.stats().values()
    assert stats["total"]["lepton.moderation"] >= 1
    queues = {queue["name"] for queue in inspect.active_queues()[bench.worker.node]}
    assert queues == {"moderation.high", "moderation.normal", "moderation.bulk"}


def test_kill_minus_nine_loses_nothing_and_repeats_nothing(
    store: Store, database_url: str, settings: Settings, redis_url: str, tmp_path: Path
) -> None:
    """On both databases: a worker dies in the middle of its work, another finishes it."""
    live = settings.model_copy(update={"redis_url": redis_url, "database_url": database_url})
    producer = Producer(live, store)
    text = "a sentence that keeps the encoder busy for a while, " * 6
    with WorkerProcess(live, store, tmp_path / "first.log", "first") as first:
        sent = [
            producer.submit("moderation", inputs=[f"{n} {m} {text}" for m in range(6)])
            for n in range(10)
        ]
        while not any(
            job.state is JobState.SUCCEEDED for job in store.jobs.find("default", _ids(sent))
        ):
            time.sleep(0.05)
        first.kill()
    unfinished = [
        job.id
        for job in store.jobs.find("default", _ids(sent))
        if job.state is not JobState.SUCCEEDED
    ]
    assert unfinished, "the worker was done before it was killed"
    with WorkerProcess(live, store, tmp_path / "second.log", "second") as second:
        for submitted in sent:
            job = producer.wait(submitted.id, WAIT)
            assert job.state is JobState.SUCCEEDED
            assert len(job.output()) == 6
        assert second.terminate() == 0
    fences = {job.id: job.attempts for job in store.jobs.find("default", _ids(sent))}
    assert all(fences[job_id] == 1 for job_id in fences if job_id not in unfinished)


def test_sigterm_drains(settings: Settings, redis_url: str, tmp_path: Path) -> None:
    live = settings.model_copy(update={"redis_url": redis_url, "lease_seconds": 600.0})
    store = open_store(live)
    producer = Producer(live, store)
    text = "a sentence that keeps the encoder busy for a while, " * 12
    with WorkerProcess(live, store, tmp_path / "worker.log") as worker:
        sent = [
            producer.submit("moderation", inputs=[f"{n} {m} {text}" for m in range(6)])
            for n in range(10)
        ]
        while not any(job.attempts for job in store.jobs.find("default", _ids(sent))):
            time.sleep(0.02)
        assert worker.terminate() == 0
    jobs = store.jobs.find("default", _ids(sent))
    assert {job.state for job in jobs} <= {JobState.QUEUED, JobState.SUCCEEDED}
    assert any(job.state is JobState.QUEUED for job in jobs)
    assert store.leases.alive() == []
    store.close()


def test_a_worker_that_redis_refuses_ends_with_the_reason(
    settings: Settings, redis_server: EmbeddedRedis, tmp_path: Path
) -> None:
    wrong = settings.model_copy(
        update={"redis_url": f"redis://:no@127.0.0.1:{redis_server.port}/0"}
    )
    store = open_store(wrong)
    worker = WorkerProcess(wrong, store, tmp_path / "worker.log")
    with pytest.raises(AssertionError, match="wants a password"):
        worker.start()
    assert worker.process.returncode != 0
    store.close()


def _ids(sent: list[Submitted]) -> list[str]:
    return [submitted.id for submitted in sent]
