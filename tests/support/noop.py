"""A worker of the task that does nothing, quick to start, and a producer of its jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lepton_tasks.celery.app import make_app
from lepton_tasks.jobs import Job
from lepton_tasks.producer import Producer
from lepton_tasks.requests import JobRequest
from lepton_tasks.settings import Settings
from lepton_tasks.states import TERMINAL
from lepton_tasks.store.store import Store, open_store
from tests.support.plugins import NOOP, installed
from tests.support.worker import WorkerProcess

PATIENCE: Final = 90.0


class NoopBench:
    """One worker process, its store, a producer, and the gate that holds up the model."""

    def __init__(self, settings: Settings, store: Store, worker: WorkerProcess, gate: Path) -> None:
        self.settings = settings
        self.store = store
        self.worker = worker
        self.producer = Producer(settings, store)
        self.app = make_app(settings, ["noop"])
        self._gate = gate

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """Keep the model from finishing anything within the block."""
        self._gate.touch()
        try:
            yield
        finally:
            self._gate.unlink()

    def hears(self) -> bool:
        """Whether the worker answers remote control; it has its lease a moment earlier."""
        return bool(self.app.control.inspect([self.worker.node], timeout=1, limit=1).ping())

    def submit(self, text: str = "你好 world", priority: str = "normal") -> str:
        """Submit a job; returns its id."""
        return self.producer.submit("noop", text, priority=priority).id

    def unpublished(self, count: int) -> list[str]:
        """Store jobs without sending their messages; returns their ids."""
        tenant = self.settings.default_tenant
        requests = [JobRequest(task="noop", input=f"好的 {n}") for n in range(count)]
        jobs = [self.producer.admission.admit(tenant, request) for request in requests]
        return [submitted.id for submitted in self.store.jobs.insert(jobs)]

    def ended(self, ids: Iterable[str]) -> list[Job]:
        """The jobs, once all are there and have ended."""
        wanted = list(ids)

        def ended() -> bool:
            jobs = self.jobs(wanted)
            return len(jobs) == len(wanted) and all(job.state in TERMINAL for job in jobs)

        self.until(ended)
        return self.jobs(wanted)

    def jobs(self, ids: Iterable[str]) -> list[Job]:
        """Those of the jobs that are there, as they are."""
        return self.store.jobs.find(self.settings.default_tenant, list(ids))

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is so; fail when it never is, or when the worker is gone."""
        end = time.monotonic() + PATIENCE
        while not true():
            assert self.worker.process.poll() is None, self.worker.log.read_text()[-4000:]
            assert time.monotonic() < end, self.worker.log.read_text()[-4000:]
            time.sleep(0.05)


@contextmanager
def noop_bench(settings: Settings, log: Path, *, hears: bool = True) -> Iterator[NoopBench]:
    """Run one worker of the task that does nothing on ``settings``.

    ``hears`` is False where Redis is away, and remote control with it.
    """
    gate = log.with_suffix(".gate")
    live = settings.model_copy(update={"catalogues": str(NOOP / "catalogue.toml")})
    with installed():
        store = open_store(live)
        try:
            with WorkerProcess(
                live, store, log, tasks=["noop"], environment={"NOOP_GATE": str(gate)}
            ) as worker:
                bench = NoopBench(live, store, worker, gate)
                if hears:
                    bench.until(bench.hears)
                yield bench
                bench.producer.close()
        finally:
            store.close()
