"""The system under test: a real store, a Redis of its own, supervised worker processes."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import psutil
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy.exc import DBAPIError

from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.launcher.backoff import RestartPolicy
from lepton_tasks.launcher.child import ChildSpec
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import upgrade_schema
from lepton_tasks.store.store import Store
from tests.chaos.checker import Loss, Verdict, check
from tests.chaos.history import History
from tests.chaos.operations import OperationLog
from tests.support.lepton_worker import LeptonWorker
from tests.support.plugins import CHAOS, installed
from tests.support.postgres import TestPostgres
from tests.support.proxy import Proxy

PATIENCE: Final = 120.0
"""Seconds that anything may take on a machine that is busy with other things."""
TASK: Final = "chaos"
_AWAY: Final = (StoreUnavailable, DBAPIError)


@dataclass(frozen=True, slots=True)
class Setup:
    """What to run. Times are seconds; ``mutation`` takes a safeguard out of the workers.

    ``oblivious`` workers do not notice that they have lost their lease. ``settings`` are
    further ones, of all processes.
    """

    slots: int = 2
    lease: float = 3.0
    item_seconds: float = 0.01
    patience: float | None = None
    mutation: str | None = None
    oblivious: bool = False
    clock_shift: float | None = None
    proxied: bool = False
    environment: Mapping[str, str] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def variables(self, notes: Path) -> dict[str, str]:
        """Environment of the worker processes."""
        wanted = {
            "CHAOS_EXECUTIONS": notes,
            "CHAOS_ITEM_SECONDS": self.item_seconds,
            "CHAOS_PATIENCE": self.patience,
            "CHAOS_MUTATION": self.mutation,
            "CHAOS_OBLIVIOUS": "1" if self.oblivious else None,
            "CHAOS_CLOCK_SHIFT": self.clock_shift,
        }
        chosen = {name: str(value) for name, value in wanted.items() if value is not None}
        return chosen | dict(self.environment or {})


class MortalRedis(EmbeddedRedis):
    """A Redis that may die as often as a test likes, and comes back at once with nothing."""

    def _spec(self) -> ChildSpec:
        return replace(super()._spec(), policy=RestartPolicy(max_delay=0.5, limit=10_000))

    def client(self) -> redis.Redis:
        """A connection that does not try twice; the caller closes it."""
        return redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), socket_timeout=30.0)

    def pid(self) -> int:
        """The process that answers now."""
        with self.client() as client:
            answer: Any = client.info("server")
        return int(answer["process_id"])

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        os.kill(self.pid(), number)

    def kill(self) -> None:
        """SIGKILL, and wait until another process answers."""
        old = self.pid()
        os.kill(old, signal.SIGKILL)
        until(lambda: self._other_than(old), "Redis did not come back")

    def _other_than(self, old: int) -> bool:
        with suppress(redis.RedisError):
            return self.pid() != old
        return False


class Rig:
    """A running system; what faults do to it goes by this object."""

    def __init__(self, setup: Setup, folder: Path, store: Store, server: MortalRedis) -> None:
        self.setup = setup
        self.folder = folder
        self.store = store
        self.redis = server
        self.history = History(store.database)
        self.losses: list[Loss] = []
        self.notes = folder / "executions"
        self.notes.mkdir()
        self.log = OperationLog(folder / "operations.jsonl")
        self.proxy: Proxy | None = None
        self.postgres: TestPostgres | None = None
        self.workers: list[LeptonWorker] = []
        common: dict[str, Any] = {
            "home": folder / "home",
            "database_url": store.database.engine.url.render_as_string(hide_password=False),
            "redis_url": server.url,
            "lease_seconds": setup.lease,
            "visibility_timeout": 2.0,
            "token_budget": 32,
        }
        self.settings = Settings(**common | dict(setup.settings))
        self.producer = Producer(self.settings, store)

    def start_workers(
        self, name: str = "chaos", environment: Mapping[str, str] | None = None
    ) -> LeptonWorker:
        """Start a supervised group of workers; :meth:`ready` waits for them."""
        settings = self.settings
        if self.proxy is not None:
            url = self.proxy.url(self.redis.url)
            settings = settings.model_copy(update={"redis_url": url})
        group = LeptonWorker(
            settings,
            self.folder / f"{name}.log",
            self.setup.slots,
            TASK,
            name,
            self.setup.variables(self.notes) | dict(environment or {}),
        )
        self.workers.append(group)
        return group

    def ready(self) -> None:
        """Wait until all workers of all groups consume."""
        for group in self.workers:
            if group.process.poll() is None:
                group.until(lambda group=group: group.said("ready: "))  # type: ignore[misc]

    def children(self) -> list[psutil.Process]:
        """The worker processes that are there now."""
        groups = [group for group in self.workers if group.process.poll() is None]
        return [child for group in groups for child in group.children()]

    def node(self, child: psutil.Process) -> str:
        """Its Celery node name."""
        words = child.cmdline()
        return words[words.index("-n") + 1]

    def living(self) -> dict[str, str]:
        """Ids of the workers whose lease holds, by node; none while the database is away."""
        with suppress(*_AWAY):
            return {one.hostname: one.id for one in self.store.leases.alive()}
        return {}

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait until something is so; what the workers wrote is shown where it never is."""
        until(true, what, self.tail)

    def tail(self) -> str:
        """The end of what the workers wrote."""
        return "\n".join(group.log.read_text()[-3000:] for group in self.workers)

    def said(self, pattern: str) -> list[str]:
        """What the workers have written, as a pattern's first group has it."""
        return [
            found for group in self.workers for found in re.findall(pattern, group.log.read_text())
        ]

    def refused_writes(self) -> int:
        """Jobs whose late results were not taken."""
        return sum(map(int, self.said(r"(\d+) stale results were not written")))

    def drain(self) -> None:
        """Wait until no job is open, as long as there is some progress, crashes included."""
        seen: list[tuple[int, int, int]] = []

        def moved() -> bool:
            with suppress(*_AWAY):
                now = self.history.progress()
                if seen[-1:] != [now]:
                    seen.append(now)
                    return True
            return False

        while not seen or seen[-1][0]:
            self.until(moved, "some jobs never ended")

    def verdict(self) -> Verdict:
        """Check all that has happened."""
        return check(self.history.evidence(self.log.path, self.notes, self.losses))

    def close(self) -> None:
        """End what runs."""
        for group in self.workers:
            group.kill()
        self.producer.close()
        self.log.__exit__(None, None, None)


@contextmanager
def running(
    database_url: str, folder: Path, setup: Setup | None = None, *, start: bool = True
) -> Iterator[Rig]:
    """Run the system on an empty database inside the block, with its workers unless told not to."""
    setup = setup or Setup()
    with ExitStack() as stack:
        stack.enter_context(installed(CHAOS))
        database = Database(database_url)
        upgrade_schema(database)
        store = Store(database)
        stack.callback(store.close)
        server = stack.enter_context(MortalRedis(folder / "redis"))
        rig = Rig(setup, folder, store, server)
        stack.callback(rig.close)
        rig.history.watch()
        if setup.proxied:
            rig.proxy = stack.enter_context(Proxy(server.port))
        if start:
            rig.start_workers()
            rig.ready()
        yield rig


def until(true: Callable[[], bool], what: str, more: Callable[[], str] = str) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it never is.
    """
    assert happens(true, PATIENCE), f"{what}\n{more()}"


def happens(true: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so, at most so long; returns whether it is."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
