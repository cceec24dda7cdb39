"""lepton-tasks: a home, a Redis and a database of its own for each measurement."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sqlalchemy import text

from lepton_tasks.embedded.commands import WORKER_ENVIRONMENT, lepton_command, worker_command
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.settings import Settings
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import upgrade_schema
from lepton_tasks.store.store import Store, open_store
from tests.benchmarks.children import ROOT, Child, StepFailed, running, wait_until
from tests.benchmarks.contenders.base import PLUGINS, START_SECONDS, Bench, Session, Worker
from tests.benchmarks.texts import POISON

if TYPE_CHECKING:
    from tests.support.postgres import TestPostgres

_FOLDERS = (PLUGINS / "noop", PLUGINS / "minilm")


def plugins() -> dict[str, str]:
    """Variables that install the benchmark's tasks for a child process."""
    paths = [*map(str, _FOLDERS), str(ROOT)]
    catalogues = [str(folder / "catalogue.toml") for folder in _FOLDERS]
    return {
        "PYTHONPATH": os.pathsep.join(paths),
        "LEPTON_CATALOGUES": os.pathsep.join(catalogues),
    }


class Ours(Session):
    """A session of ours. ``store`` is open while it lasts."""

    def __init__(self, bench: Bench, folder: Path, settings: Settings, store: Store) -> None:
        super().__init__(bench, folder)
        self.settings = settings
        self.store = store

    def client_command(self) -> list[str]:
        """Run by the interpreter of this project."""
        return [sys.executable, "-m", "tests.benchmarks.client", "ours"]

    def environment(self) -> dict[str, str]:
        """Settings and the benchmark's tasks."""
        return {
            **self.settings.environment(),
            **plugins(),
            "BENCH_POISON": POISON,
        }

    @contextmanager
    def worker(self, task: str, **variables: str) -> Iterator[Worker]:
        """A worker as ``lepton up`` starts it; ready once it holds its lease."""
        folder = self.bench.fresh_folder("worker")
        node = f"{folder.name}@bench"
        environment = {**WORKER_ENVIRONMENT, **self.environment(), **variables}
        argv = worker_command([task], node, "WARNING")
        with running(argv, environment, folder / "log") as child:
            wait_until(lambda: self._holds_lease(node), child, START_SECONDS, "the start", 0.01)
            yield Worker(child, self._leased_since(node))

    @contextmanager
    def workers(self, task: str, processes: int) -> Iterator[Child]:
        """``lepton worker`` with so many processes, one thread each; all of them consume."""
        folder = self.bench.fresh_folder("workers")
        argv = lepton_command(
            *("worker", "--tasks", task, "--devices", "cpu", "--per-device", str(processes)),
            *("--name", f"{folder.name}@bench"),
        )
        environment = {**self.environment(), "LEPTON_THREADS": "1"}
        with running(argv, environment, folder / "log") as child:
            wait_until(
                lambda: len(self.store.leases.alive()) == processes, child, START_SECONDS, "start"
            )
            yield child

    def is_drained(self, jobs: int) -> bool:
        """Whether nothing waits or runs.

        Raises:
            StepFailed: it is over, but not all ``jobs`` have succeeded.
        """
        with self.store.database.read() as connection:
            for state in ("running", "queued", "running"):  # a job goes either way in between
                # A literal, so that the partial index on the state answers.
                query = text(f"SELECT 1 FROM jobs WHERE state = '{state}' LIMIT 1")  # noqa: S608
                if connection.execute(query).first() is not None:
                    return False
        if self.succeeded() < jobs:
            raise StepFailed(f"of {jobs} jobs only {self.succeeded()} succeeded")
        return True

    def succeeded(self) -> int:
        """Jobs that have succeeded."""
        return self.count("state = 'succeeded'")

    def queued(self) -> int:
        """Jobs that wait for a worker."""
        return self.count("state = 'queued'")

    def unfinished(self) -> int:
        """Jobs that wait or run, at one moment; each part is counted in an index of its own."""
        parts = " + ".join(
            f"(SELECT count(*) FROM jobs WHERE state = '{state}')"  # noqa: S608
            for state in ("queued", "running")
        )
        with self.store.database.read() as connection:
            return int(connection.execute(text(f"SELECT {parts}")).scalar_one())

    def count(self, condition: str) -> int:
        """Jobs whose row meets an SQL condition."""
        query = text(f"SELECT count(*) FROM jobs WHERE {condition}")  # noqa: S608
        with self.store.database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def span(self, condition: str, column: str) -> tuple[float, float]:
        """First and last time in ``column`` of the jobs whose row meets an SQL condition."""
        query = text(f"SELECT min({column}), max({column}) FROM jobs WHERE {condition}")  # noqa: S608
        with self.store.database.read() as connection:
            first, last = connection.execute(query).one()
        return float(first), float(last)

    def _holds_lease(self, node: str) -> bool:
        return any(worker.hostname == node for worker in self.store.leases.alive())

    def _leased_since(self, node: str) -> float:
        query = text("SELECT max(started_at) FROM workers WHERE hostname = :node")
        with self.store.database.read() as connection:
            return float(connection.execute(query, {"node": node}).scalar_one())


@contextmanager
def ours(bench: Bench, database_url: str = "", **fields: object) -> Iterator[Ours]:
    """A session on SQLite, or on the empty database at ``database_url``; ``fields`` are settings.

    Workers run at the budget and threads that tuning chose, so that none of them tunes.
    """
    folder = bench.fresh_folder("ours")
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedRedis(folder / "redis"))
        values: Mapping[str, object] = {
            "home": folder / "home",
            "redis_url": server.url,
            "database_url": database_url,
            "token_budget": bench.tuned.budget,
            "threads": bench.tuned.threads,
            "tune": False,
            **fields,
        }
        settings = Settings.model_validate(values)
        if database_url:
            database = Database(settings.store_url)
            upgrade_schema(database)
            database.close()
        store = open_store(settings)
        stack.callback(store.close)
        yield Ours(bench, folder, settings, store)


class LazyPostgres:
    """A PostgreSQL that starts with the first database asked for, inside a ``with`` block."""

    def __init__(self) -> None:
        self._server: TestPostgres | None = None

    def fresh_database(self) -> str:
        """URL of a new empty database."""
        if self._server is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about folders of a desktop session
                from tests.support.postgres import TestPostgres

            self._server = TestPostgres()
        return self._server.fresh_database()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.stop()
