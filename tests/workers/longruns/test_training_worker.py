"""Trainings through a real worker: published, resumed after a kill, cancelled, refused."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.jobs import Job
from lepton_tasks.nlp.training import TrainingOptions
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import open_store
from lepton_tasks.versions import Versions
from tests.support.labelled import opinions
from tests.support.models import one_thread
from tests.support.texts import days
from tests.support.worker import WorkerProcess
from workers.custom.language_model import train_language_model
from workers.longruns.child import Request, Speaker

WAIT = 150.0
pytestmark = pytest.mark.timeout(600)
LONG: dict[str, Any] = {"epochs": 100}
"""With the rows below some seconds of it, in rounds of tenths."""
WRITER: dict[str, Any] = {
    "method": "language-model",
    "vocabulary": 300,
    "width": 32,
    "layers": 1,
    "context": 24,
    "batch": 2,
    "steps": 250,
}
ROWS = {"rows": opinions(60)}
MUDDLED = {"rows": [{**row, "label": "abcdefgh"[n % 8]} for n, row in enumerate(opinions(1_200))]}


@dataclass
class Bench:
    settings: Settings
    producer: Producer
    versions: Versions
    log: Path
    worker: WorkerProcess

    def submit(self, item: Any, tenant: str | None = None, **options: Any) -> str:
        return self.producer.submit("training", item, options=options, tenant=tenant).id

    def ended(self, job_id: str, tenant: str | None = None) -> Job:
        job = self.producer.wait(job_id, WAIT, tenant)
        assert job.state not in (JobState.QUEUED, JobState.RUNNING), self.log.read_text()[-3000:]
        return job

    def output(self, job_id: str) -> Any:
        job = self.ended(job_id)
        assert job.state is JobState.SUCCEEDED, (job.error, self.log.read_text()[-3000:])
        return job.output()

    def weights(self, output: Any) -> bytes:
        folder = self.versions.version(output["model"], output["version"]).folder
        return (folder / "model.safetensors").read_bytes()

    def checkpoint(self, job_id: str) -> Path:
        return self.settings.checkpoints / f"{job_id}-0" / "checkpoint.safetensors"

    def stop_training(self, job_id: str) -> psutil.Process:
        """Hold the process of a training, once it has stored a checkpoint."""
        until(lambda: self.checkpoint(job_id).exists() and self.trainings())
        [child] = self.trainings()
        child.suspend()
        return child

    def trainings(self) -> list[psutil.Process]:
        """Processes of the worker that have become trainings."""
        found = psutil.Process(self.worker.process.pid).children()
        return [one for one in found if one.cmdline()[1:] == ["-m", "workers.custom"]]


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_gone(process: psutil.Process) -> bool:
    """Whether it has ended, though nobody may have asked how."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def bench(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("training")
    (folder / "data").mkdir()
    settings = Settings(
        home=folder / "home",
        redis_url=redis_server.url[:-1] + "11",
        lease_seconds=3.0,
        threads=1,
        data_folder=folder / "data",
        drain_seconds=3.0,
    )
    store = open_store(settings)
    worker = WorkerProcess(settings, store, folder / "worker.log", tasks=["training"])
    with worker, Producer(settings, store) as producer:
        versions = Versions(settings.model_versions)
        yield Bench(settings, producer, versions, folder / "worker.log", worker)
    store.close()


def test_a_model_is_made_published_and_served(bench: Bench) -> None:
    out = bench.output(bench.submit(ROWS, model="opinions", serve=True, require_better=True))
    assert (out["trained"], out["held_out"], out["languages"]) == (48, 12, ["en", "zh"])
    assert out["new"]["f1"] > out["majority"]["f1"] and out["base"] is None
    version = bench.versions.version("opinions", out["version"])
    assert version.entry()["engine"] == "text-classifier"
    assert version.report()["new"] == out["new"]
    assert "12 rows held out" in version.report()["headline"]
    assert bench.versions.served("opinions") == out["version"]


def test_a_training_that_was_drained_and_killed_ends_as_one_that_was_not(bench: Bench) -> None:
    job_id = bench.submit(MUDDLED, model="killed", **LONG)
    child = bench.stop_training(job_id)
    assert bench.worker.terminate() == 0
    assert is_gone(child)
    assert bench.producer.get(job_id).state is JobState.QUEUED
    bench.worker.start()
    child = bench.stop_training(job_id)
    bench.worker.kill()
    until(lambda: is_gone(child))
    bench.worker.start()
    seen: list[Any] = []

    def over() -> bool:
        job = bench.producer.get(job_id)
        seen.append(job.progress)
        return job.state not in (JobState.QUEUED, JobState.RUNNING)

    until(over)
    resumed = bench.output(job_id)
    whole = bench.output(bench.submit(MUDDLED, model="whole", **LONG))
    assert (resumed["resumed"], whole["resumed"]) == (True, False)
    assert bench.weights(resumed) == bench.weights(whole)
    assert resumed["new"] == whole["new"]
    assert len(bench.versions.versions("killed")) == 1
    assert {"stage", "fraction", "updated_at"} <= set(seen[-1])
    assert all(0 <= one["fraction"] <= 1 for one in seen if one is not None)


def test_a_language_model_that_was_killed_ends_as_one_that_was_not(
    bench: Bench, tmp_path: Path
) -> None:
    item = {"texts": [*days(80, "en"), *days(80, "zh")]}
    job_id = bench.submit(item, model="writer", **WRITER)
    child = bench.stop_training(job_id)
    bench.worker.kill()
    until(lambda: is_gone(child))
    bench.worker.start()
    resumed = bench.output(job_id)
    options = TrainingOptions(model="writer", **WRITER).model_dump(mode="json")
    settings = bench.settings.model_copy(update={"home": tmp_path})
    with one_thread():
        request = Request(item, options, tmp_path, "whole", settings)
        whole = train_language_model(request, Speaker(io.BytesIO()))["output"]
    assert (resumed["resumed"], whole["resumed"]) == (True, False)
    assert bench.weights(resumed) == (tmp_path / "model" / "model.safetensors").read_bytes()
    assert resumed["language_model"] == whole["language_model"]
    # Nothing had its name, so it serves.
    assert resumed["served"] and bench.versions.served("writer") == resumed["version"]
    version = bench.versions.version("writer", resumed["version"])
    assert version.entry() == {"task": "generation", "engine": "decoder"}
    assert "steps 250 " in version.report()["command"]


def test_a_cancelled_training_ends_and_leaves_nothing(bench: Bench) -> None:
    job_id = bench.submit(MUDDLED, model="cancelled", **LONG)
    bench.stop_training(job_id)
    bench.producer.cancel(job_id)
    assert bench.ended(job_id).state is JobState.CANCELLED
    until(lambda: not bench.checkpoint(job_id).parent.exists())
    assert bench.versions.versions("cancelled") == []


def test_what_is_wrong_in_a_file_is_named_and_never_shown(bench: Bench) -> None:
    data = bench.settings.data_folder
    assert data is not None
    lines = [orjson.dumps(row) for row in opinions(20)]
    (data / "bad.jsonl").write_bytes(b"\n".join([*lines[:6], b'{"text": "SECRET"}', *lines[6:]]))
    bad = bench.submit({"file": "bad.jsonl"}, model="filed")
    assert bench.ended(bad).error == {
        "code": "wrong_rows",
        "message": "bad.jsonl, line 7.label: Field required",
    }
    stranger = bench.submit(ROWS, "stranger", model="filed")
    assert (bench.ended(stranger, "stranger").error or {})["code"] == "not_allowed"
    assert bench.versions.versions("filed") == []
    assert "SECRET" not in bench.log.read_text()
