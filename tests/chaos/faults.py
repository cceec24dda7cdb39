"""What can go wrong: each fault is done to a running system, and is over when ``inject`` returns.

What follows from it may go on for longer; that is what the runs look at.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Protocol

import psutil

from lepton_tasks.queues import Priority, queue_name
from tests.chaos.checker import Loss
from tests.chaos.rig import TASK, Rig
from tests.support.proxy import Mode

_QUEUES: Final = [queue_name(TASK, priority) for priority in Priority]


class Fault(Protocol):
    """Something that goes wrong."""

    @property
    def name(self) -> str:
        """For people to read."""
        ...

    def inject(self, rig: Rig) -> None:
        """Do it."""
        ...


@dataclass(frozen=True)
class KillWorker:
    """SIGKILL of a worker process; its supervisor starts another."""

    name: str = "worker SIGKILL"

    def inject(self, rig: Rig) -> None:
        """Kill one of those that hold jobs."""
        child = _busy(rig, self.name)
        child.kill()
        child.wait()


@dataclass(frozen=True)
class LoseOneWorker:
    """SIGKILL of a worker while all others are well, over when another has taken its place."""

    name: str = "worker SIGKILL, others well"

    def inject(self, rig: Rig) -> None:
        """Kill one of those that hold jobs, and wait until as many consume as before."""
        before = rig.living()
        child = _busy(rig, self.name)
        node = rig.node(child)
        child.kill()
        child.wait()

        def replaced() -> bool:
            after = rig.living()
            return after.keys() == before.keys() and after[node] != before[node]

        rig.until(replaced, "the worker was not replaced")


@dataclass(frozen=True)
class KillMachine:
    """A supervisor and all its workers die at once, so that nobody tells; others live on."""

    name: str = "machine loss"

    def inject(self, rig: Rig) -> None:
        """Kill the newest group of workers, and start another, of another name."""
        group = rig.workers[-1]
        with suppress(psutil.NoSuchProcess, ValueError):  # one is gone, or has just begun
            for child in group.children():
                rig.losses.append(rig.history.held_by(rig.node(child), self.name))
        group.kill()
        rig.start_workers(f"chaos{len(rig.workers)}")
        rig.ready()


@dataclass(frozen=True)
class StopWorker:
    """SIGSTOP of a worker for twice its lease, in the middle of its work."""

    name: str = "worker SIGSTOP, 2 x lease"

    def inject(self, rig: Rig) -> None:
        """Stop one that holds jobs; it goes on after all it held was given to others."""
        with asleep(rig, self.name):
            time.sleep(2 * rig.setup.lease)


@dataclass(frozen=True)
class LoseRedis:
    """SIGKILL of a Redis that keeps nothing on disk; it comes back empty."""

    name: str = "Redis SIGKILL, back empty"

    def inject(self, rig: Rig) -> None:
        """Kill it, and wait until it answers again."""
        rig.redis.kill()


@dataclass(frozen=True)
class StopRedis:
    """SIGSTOP of Redis: connections stay open and nothing is answered."""

    seconds: float
    name: str = "Redis SIGSTOP"

    def inject(self, rig: Rig) -> None:
        """Stop it for so long."""
        pid = rig.redis.pid()
        process = psutil.Process(pid)
        process.suspend()
        try:
            time.sleep(self.seconds)
        finally:
            process.resume()


@dataclass(frozen=True)
class CutClients:
    """CLIENT KILL of every connection to Redis."""

    name: str = "CLIENT KILL of all"

    def inject(self, rig: Rig) -> None:
        """Cut them all, subscribers too."""
        with rig.redis.client() as client:
            for kind in ("normal", "pubsub"):
                client.client_kill_filter(_type=kind, skipme=True)


@dataclass(frozen=True)
class PauseRedis:
    """CLIENT PAUSE: commands wait."""

    seconds: float
    name: str = "CLIENT PAUSE"

    def inject(self, rig: Rig) -> None:
        """Pause it for so long."""
        with rig.redis.client() as client:
            client.client_pause(round(self.seconds * 1000))
        time.sleep(self.seconds)


@dataclass(frozen=True)
class PurgeQueues:
    """Somebody empties the queues by hand, as ``celery purge`` does."""

    name: str = "queues purged"

    def inject(self, rig: Rig) -> None:
        """Delete them."""
        with rig.redis.client() as client:
            client.delete(*_QUEUES)


@dataclass(frozen=True)
class RestoreRedis:
    """Redis goes back to a snapshot of some time ago: old messages return, newer ones are gone."""

    seconds: float
    name: str = "old RDB restored"

    def inject(self, rig: Rig) -> None:
        """Take a snapshot, let the work go on for so long, then restart Redis from it."""
        with rig.redis.client() as client:
            client.save()
        time.sleep(self.seconds)
        rig.redis.kill()
        for dump in (rig.folder / "redis").glob("*.rdb"):
            dump.unlink()


@dataclass(frozen=True)
class HalfOpenLinks:
    """The workers' connections to Redis die without a word; new ones work."""

    name: str = "half-open links"

    def inject(self, rig: Rig) -> None:
        """Freeze all links of now."""
        assert rig.proxy is not None
        rig.proxy.freeze()


@dataclass(frozen=True)
class SlowLinks:
    """Each piece that goes between the workers and Redis is late."""

    seconds: float
    name: str = "slow links"

    def inject(self, rig: Rig) -> None:
        """Delay all that goes either way by a tenth of a second, for so long."""
        assert rig.proxy is not None
        rig.proxy.switch(Mode.DELAY, 0.1)
        time.sleep(self.seconds)
        rig.proxy.switch(Mode.PASS)


@dataclass(frozen=True)
class RestartPostgres:
    """An immediate restart of PostgreSQL: every session is cut, the log is replayed."""

    name: str = "PostgreSQL immediate restart"

    def inject(self, rig: Rig) -> None:
        """Restart the server that the rig was given."""
        assert rig.postgres is not None
        rig.postgres.restart_at_once()


@dataclass(frozen=True)
class RenewWorkers:
    """SIGHUP: the supervisor replaces its workers one by one, each of which drains."""

    name: str = "rolling restart"

    def inject(self, rig: Rig) -> None:
        """Ask for it and wait until every worker is another one."""
        before = rig.living()
        rig.workers[0].process.send_signal(signal.SIGHUP)

        def renewed() -> bool:
            after = rig.living()
            return after.keys() == before.keys() and not set(after.values()) & set(before.values())

        rig.until(renewed, "not every worker was replaced")


@contextmanager
def asleep(rig: Rig, fault: str) -> Iterator[None]:
    """Stop a worker that holds jobs for as long as the block lasts."""
    child = _busy(rig, fault)
    child.suspend()
    try:
        yield
    finally:
        child.resume()


def _busy(rig: Rig, fault: str) -> psutil.Process:
    """A worker that holds jobs, by chance; what it holds is noted as lost by ``fault``."""
    found: list[tuple[psutil.Process, Loss]] = []

    def look() -> bool:
        found.clear()
        with suppress(psutil.NoSuchProcess, ValueError):  # one is gone, or has just begun
            for child in rig.children():
                held = rig.history.held_by(rig.node(child), fault)
                if held.job_ids:
                    found.append((child, held))
        return bool(found)

    rig.until(look, "no worker ever held a job")
    child, held = random.choice(found)
    rig.losses.append(held)
    return child
