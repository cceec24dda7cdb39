"""``lepton worker`` with real workers: two processes serve, one is killed, one hangs, all drain."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from lepton_tasks.errors import ConfigError
from lepton_tasks.jobs import Submitted
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import open_store
from lepton_tasks.supervisor.progress import PROGRESS_VARIABLE
from lepton_tasks.supervisor.supervisor import node_names
from tests.support.lepton_worker import WAIT, LeptonWorker

TEXT = "a sentence that keeps the encoder busy for a while, " * 6


Start = Callable[[Settings, int], LeptonWorker]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[LeptonWorker] = []

    def start(settings: Settings, slots: int) -> LeptonWorker:
        started.append(LeptonWorker(settings, tmp_path / "output", slots))
        return started[0]

    yield start
    for worker in started:
        worker.kill()


def hang_one(children: list[psutil.Process], submit: Callable[[], None]) -> int:
    """Stop one process in the middle of a micro-batch, so that its progress stays odd.

    Work is submitted until one of them is caught at it; returns its index.
    """
    end = time.monotonic() + WAIT
    while True:
        submit()
        for index, child in enumerate(children):
            child.suspend()
            while child.status() != psutil.STATUS_STOPPED:
                time.sleep(0.001)
            time.sleep(0.005)  # its other threads stop a moment later
            if Path(child.environ()[PROGRESS_VARIABLE]).read_bytes()[0] % 2:
                return index
            child.resume()
        assert time.monotonic() < end, "none was ever busy"
        time.sleep(0.02)


def test_a_killed_and_a_hung_worker_cost_no_job(
    settings: Settings, redis_url: str, start: Start
) -> None:
    # The lease outlives the test: what comes back, comes back by the supervisor's doing.
    live = settings.model_copy(
        update={
            "redis_url": redis_url,
            "lease_seconds": 600.0,
            "visibility_timeout": 5.0,
            "hung_seconds": 3.0,
            "token_budget": 256,
            "threads": 1,
        }
    )
    store = open_store(live)
    producer = Producer(live, store)
    worker = start(live, 2)
    worker.until(lambda: worker.said("ready: 2 workers\n"))
    nodes = node_names("test@%h", 2)
    assert sorted(one.hostname for one in store.leases.alive()) == nodes
    assert "torch" not in Path(f"/proc/{worker.process.pid}/maps").read_text()

    sent: list[Submitted] = []

    def submit() -> None:
        texts = [f"{len(sent)} {place} {TEXT}" for place in range(6)]
        sent.append(producer.submit("moderation", inputs=texts))

    children = worker.children()
    hung = hang_one(children, submit)
    killed = 1 - hung
    for _ in range(10):
        submit()
    children[killed].kill()
    for submitted in sent:
        job = producer.wait(submitted.id, WAIT)
        assert job.state is JobState.SUCCEEDED
        assert len(job.output()) == 6
    worker.until(lambda: len(store.leases.alive()) == 2)
    assert worker.said(f"{nodes[killed]} (cpu): was killed by SIGKILL, starting again")
    assert worker.said(
        f"{nodes[hung]} (cpu): ran one micro-batch for over 3 s (LEPTON_HUNG_SECONDS)"
    )

    family = worker.children()
    assert len(family) == 2
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(WAIT) == 0
    assert not any(child.is_running() for child in family)
    assert store.leases.alive() == []
    assert not worker.said("killing it")
    store.close()


def test_workers_that_cannot_start_end_it_with_the_reason(
    settings: Settings, redis_url: str, start: Start
) -> None:
    broken = settings.model_copy(update={"redis_url": redis_url, "catalogues": "/none.toml"})
    worker = start(broken, 1)
    assert worker.process.wait(WAIT) == 1
    assert worker.said("/none.toml")
    assert worker.said("(cpu) ended with exit code 1. What it wrote is above.")


@pytest.mark.parametrize("name", ["@here", "gpu@%d", "gpu%n"])
def test_names_that_are_no_node_names(name: str) -> None:
    with pytest.raises(ConfigError, match="--name"):
        node_names(name, 1)
