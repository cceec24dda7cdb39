"""Texts that kill the worker's process, among others: they die alone, whatever they came with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lepton_tasks.jobs import Submitted
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import open_store
from tests.support.lepton_worker import LeptonWorker
from tests.support.plugins import SCRIPTED, installed

WAIT = 150.0
INNOCENT = 40


@pytest.fixture
def live(tmp_path: Path, redis_url: str) -> Iterator[Settings]:
    with installed(SCRIPTED):
        # The lease outlives the test: what is known of a death, the supervisor saw.
        yield Settings(
            home=tmp_path / "home", redis_url=redis_url, lease_seconds=600.0, token_budget=32
        )


def test_a_poison_job_dies_alone(live: Settings, tmp_path: Path) -> None:
    store = open_store(live)
    producer = Producer(live, store)

    def submit(*texts: str) -> Submitted:
        return producer.submit("scripted", inputs=texts)

    innocent = [submit(f"answer {number}") for number in range(INNOCENT // 2)]
    killer = submit("kill the worker")
    shard = submit(*(f"answer {number}" for number in range(17)), "kill", *("回答",) * 14)
    innocent += [submit(f"回答 {number}") for number in range(INNOCENT // 2)]
    worker = LeptonWorker(live, tmp_path / "output", slots=2, task="scripted")
    try:
        for submitted in (*innocent, killer, shard):
            job = producer.wait(submitted.id, WAIT)
            dead = submitted is killer
            assert job.state is (JobState.DEAD if dead else JobState.SUCCEEDED), (
                worker.log.read_text()[-4000:]
            )
    finally:
        worker.kill()
    outputs = producer.get(shard.id).output()
    assert [place for place, output in enumerate(outputs) if "error" in output] == [17]
    assert outputs[17]["error"]["code"] == "crashed"
    error = producer.get(killer.id).error
    assert error is not None
    assert error["code"] == "dead"
    assert "alone: test-" in error["message"]
    crashes = worker.log.read_text().count("was killed by SIGKILL, starting again at once; ")
    assert 7 <= crashes <= 8, (
        worker.log.read_text()
    )  # each killer three times alone, and with the others together or not
    store.close()
