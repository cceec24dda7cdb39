"""A worker that was stopped, hangs, or holds the interpreter: what becomes of its lease."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store, open_store
from tests.support.lepton_worker import LeptonWorker
from tests.support.plugins import SCRIPTED, installed
from tests.support.worker import WorkerProcess

WAIT = 90.0


class Bench:
    """A store, who submits, and a file by which a job of ``hold`` is held."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.store: Store = open_store(settings)
        self.producer = Producer(settings, self.store)
        self.held = folder / "held"

    def submit(self, text: str) -> str:
        return self.producer.submit("scripted", text).id

    def is_running(self, job_id: str) -> bool:
        return self.producer.get(job_id).state is JobState.RUNNING

    def hold(self) -> str:
        """A job that is on the device until :meth:`let_go`."""
        job_id = self.submit(f"hold {self.held}")
        until(Path(f"{self.held}.started").exists)
        return job_id

    def let_go(self) -> None:
        Path(f"{self.held}.go").touch()

    def worker(self, folder: Path) -> WorkerProcess:
        return WorkerProcess(self.settings, self.store, folder / "log", tasks=["scripted"])


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def live(tmp_path: Path, redis_url: str) -> Iterator[Settings]:
    with installed(SCRIPTED):
        yield Settings(
            home=tmp_path / "home", redis_url=redis_url, lease_seconds=4.0, token_budget=1
        )


def test_a_worker_that_was_stopped_drops_what_it_held_and_goes_on(
    live: Settings, tmp_path: Path
) -> None:
    bench = Bench(live, tmp_path)
    with bench.worker(tmp_path) as worker:
        first = bench.producer.wait(bench.submit("answer"), WAIT).output()["forward"]
        held = bench.hold()
        waiting = [bench.submit(f"answer {number}") for number in range(3)]
        until(lambda: all(bench.is_running(one) for one in waiting))
        worker.process.send_signal(signal.SIGSTOP)
        until(lambda: bench.store.leases.alive() == [])
        assert bench.store.recovery.recover().queued == 4
        bench.let_go()
        worker.process.send_signal(signal.SIGCONT)
        jobs = [bench.producer.wait(one, WAIT) for one in (held, *waiting)]
        assert [job.state for job in jobs] == [JobState.SUCCEEDED] * 4
        assert [job.attempts for job in jobs] == [2] * 4
        # What was on the device ran twice, all others once.
        assert max(job.output()["forward"] for job in jobs) == first + 5
        assert "jobs were taken back meanwhile and are dropped" in worker.log.read_text()
    bench.store.close()


def test_a_hung_micro_batch_costs_a_worker_its_lease_until_it_ends(
    live: Settings, tmp_path: Path
) -> None:
    bench = Bench(live.model_copy(update={"hung_seconds": 1.0}), tmp_path)
    with bench.worker(tmp_path) as worker:
        held = bench.hold()
        until(lambda: bench.store.leases.alive() == [])
        until(lambda: not bench.is_running(held))  # taken back, and not taken again
        assert "a micro-batch has hung" in worker.log.read_text()
        bench.let_go()
        until(lambda: bench.store.leases.alive() != [])
        job = bench.producer.wait(held, WAIT)
        assert (job.state, job.attempts) == (JobState.SUCCEEDED, 2)
    bench.store.close()


def test_a_call_that_holds_the_interpreter_does_not_cost_the_lease(
    live: Settings, tmp_path: Path
) -> None:
    bench = Bench(live.model_copy(update={"lease_seconds": 6.0}), tmp_path)
    worker = LeptonWorker(bench.settings, tmp_path / "output", task="scripted")
    try:
        worker.until(lambda: worker.said("ready: 1 worker"))
        long = bench.submit("gil 8")
        while bench.producer.get(long).state not in (JobState.SUCCEEDED, JobState.FAILED):
            assert bench.store.recovery.recover().queued == 0
            time.sleep(0.1)
        assert bench.producer.get(long).attempts == 1
    finally:
        worker.kill()
    bench.store.close()
