"""A whole system with a stock OpenAI client: Redis, a store, a worker process, the API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from openai import OpenAI

from api.app import create_app
from lepton_tasks.jobs import Job
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store, open_store
from tests.support.serving import serving
from tests.support.worker import WorkerProcess

PATIENCE = 60.0


@dataclass(frozen=True)
class System:
    """``url`` is the API's without ``/v1``, ``key`` that of the tenant ``acme``."""

    client: OpenAI
    url: str
    key: str
    store: Store

    def job(self, task: str, state: JobState, *, besides: Sequence[str] = ()) -> Job:
        """The newest job of a task in that state, once there is one."""

        def found() -> Job | None:
            page = self.store.jobs.page("acme", task=task, state=state)
            return next((job for job in page if job.id not in besides), None)

        return self.until(found)

    def until(self, found: Callable[[], Job | None]) -> Job:
        """What is found, once it is."""
        end = time.monotonic() + PATIENCE
        while (job := found()) is None:
            assert time.monotonic() < end
            time.sleep(0.02)
        return job


@contextmanager
def openai_system(
    settings: Settings, tasks: Sequence[str], log: Path, key: str | None = None
) -> Iterator[System]:
    """Run one while the block runs; ``key`` is what the worker shall find in ``UPSTREAM_KEY``."""
    store = open_store(settings)
    own = store.keys.create("acme", "test")
    environment = {} if key is None else {"UPSTREAM_KEY": key}
    with (
        WorkerProcess(settings, store, log, tasks=tasks, environment=environment),
        serving(uvicorn.Config(create_app(settings), log_config=None)) as url,
        OpenAI(api_key=own, base_url=f"{url}/v1", max_retries=0) as client,
    ):
        yield System(client, url, own, store)
    store.close()
