"""Versions that change in a worker process under load: nothing fails, nothing is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import orjson
import pytest

from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store, open_store
from lepton_tasks.versions import Versions
from tests.support.encoders import table, write_encoder, write_heads
from tests.support.versions import publish
from tests.support.worker import WorkerProcess
from workers.catalogue.__main__ import main
from workers.catalogue.rollout import wait_for_workers

WAIT = 60.0
TEXTS = ["今天天气不错", "What a lovely morning", "你好，世界", "see you tomorrow"]


class Load:
    """Submits jobs one after the other within the block."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.ids: list[str] = []
        self.producer = Producer(settings, store)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def some_more(self) -> None:
        """Wait until jobs that come from now on have been answered."""
        last = len(self.ids) + 4
        end = time.monotonic() + WAIT
        while len(self.ids) < last:
            assert time.monotonic() < end
            time.sleep(0.01)
        self.producer.wait(self.ids[last - 1], WAIT)

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            number = len(self.ids)
            texts = [f"{text} {number}" for text in TEXTS[: 1 + number % 4]]
            self.ids.append(self.producer.submit("moderation", inputs=texts).id)


@pytest.fixture
def settings(
    redis_server: EmbeddedRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Those of a worker whose only model is small; in the environment too, for commands."""
    encoder, heads = write_encoder(tmp_path / "encoder"), write_heads(tmp_path / "heads0", 0)
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(table("plain", heads, encoder, default=True))
    settings = Settings(
        home=tmp_path / "home",
        # A database of its own: the fixture `redis_url` empties the first one.
        redis_url=redis_server.url[:-1] + "6",
        catalogues=str(catalogue),
        lease_seconds=5.0,
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = open_store(settings)
    yield store
    store.close()


def test_versions_change_under_load_and_no_job_notices(
    settings: Settings, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = Versions(settings.model_versions)
    encoder = {"encoder_folder": str(tmp_path / "encoder")}
    first, broken, second = (
        publish(versions, "plain", write_heads(tmp_path / f"heads{seed}", seed), encoder)
        for seed in (1, 2, 3)
    )
    with WorkerProcess(settings, store, tmp_path / "worker.log") as worker:

        def command(*arguments: str) -> str:
            """Have a version served by the worker; returns which it is."""
            code = main([*arguments, "--wait", "--json"])
            told = orjson.loads(capsys.readouterr().out)
            assert code == 0, told
            assert told["workers"] == [{"worker": worker.node, "state": "serves", "reason": ""}]
            return str(told["version"])

        with Load(settings, store) as load:
            load.some_more()
            assert command("swap", "plain", first) == first
            load.some_more()
            weights = versions.folder / "plain" / broken / "model.safetensors"
            weights.write_bytes(b"no weights")
            versions.serve("plain", broken)
            stamp = str(versions.stamps()["plain"][0])
            [word] = wait_for_workers(settings, "plain", "moderation", stamp, WAIT)
            assert word.state == "refused" and "cannot be read as safetensors" in word.reason
            load.some_more()
            assert command("rollback", "plain") == first
            assert command("swap", "plain", second) == second
            load.some_more()
            assert command("rollback", "plain") == first
            load.some_more()
        jobs = [load.producer.wait(job_id, WAIT) for job_id in load.ids]
    assert {job.state for job in jobs} == {JobState.SUCCEEDED}
    revisions = [job.result["model"]["revision"] for job in jobs if job.result is not None]
    assert len(revisions) == len(load.ids)
    served = [revision for revision, _ in groupby(revisions)]
    assert served[1:] == [first, second, first] and broken not in served
