"""The peers: each on a Redis of its own with our settings, in the peers' environment."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import redis

from lepton_tasks.embedded.redis import EmbeddedRedis
from tests.benchmarks.children import ROOT, StepFailed, running, wait_until
from tests.benchmarks.contenders.base import START_SECONDS, Bench, Session, Worker
from tests.benchmarks.sides.environment import BUDGET, READY, REDIS, TASK, THREADS
from tests.benchmarks.texts import POISON

_MODULES: Final = "tests.benchmarks.sides"


@dataclass(frozen=True, slots=True)
class Peer:
    """How a peer is run. ``arguments`` follow ``python -m``.

    ``results`` is the hash of database 0 that holds its results; without it each is a
    key of database 1.
    """

    name: str
    side: str
    arguments: Sequence[str]
    results: str = ""


def _celery(name: str, side: str, *pool: str) -> Peer:
    app = f"{_MODULES}.{side}"
    return Peer(
        name, side, ["celery", "-A", app, "worker", "--loglevel", "WARNING", "--pool", *pool]
    )


CELERY_SOLO: Final = _celery("Celery, solo", "celery_plain", "solo")
CELERY_PREFORK: Final = _celery("Celery, prefork 2", "celery_plain", "prefork", "-c", "2")
BATCHES: Final = _celery("celery-batches", "celery_batched", "solo")
DRAMATIQ: Final = Peer(
    "dramatiq, 8 threads",
    "dramatiq_threads",
    ["dramatiq", f"{_MODULES}.dramatiq_threads", "--processes", "1", "--threads", "8"],
)
HUEY: Final = Peer(
    "huey, 8 threads",
    "huey_threads",
    ["huey.bin.huey_consumer", f"{_MODULES}.huey_threads.huey", "-w", "8", "-k", "thread"],
    "huey.results.bench",
)


class PeerSession(Session):
    """A session of a peer on the Redis at ``server``."""

    def __init__(self, bench: Bench, folder: Path, peer: Peer, server: EmbeddedRedis) -> None:
        super().__init__(bench, folder)
        self._peer = peer
        self._url = server.url.rsplit("/", 1)[0]
        self._redis = redis.Redis.from_url(f"{self._url}/{0 if peer.results else 1}")

    def client_command(self) -> list[str]:
        """Run by the interpreter of the peers."""
        return [str(self.bench.peers_python), "-m", "tests.benchmarks.client", self._peer.side]

    def environment(self) -> dict[str, str]:
        """Where its Redis is."""
        return {**model_environment(self.bench), REDIS: self._url}

    @contextmanager
    def worker(self, task: str, **variables: str) -> Iterator[Worker]:
        """A worker by the peer's own command; ready by the peer's own signal."""
        folder = self.bench.fresh_folder("worker")
        mark = folder / "ready"
        argv = [str(self.bench.peers_python), "-m", *self._peer.arguments]
        variables = {**self.environment(), TASK: task, READY: str(mark), **variables}
        with running(argv, variables, folder / "log") as child:
            wait_until(mark.exists, child, START_SECONDS, "the start", 0.01)
            yield Worker(child, float(mark.read_text()))

    def is_drained(self, jobs: int) -> bool:
        """Whether as many results are stored."""
        return self.stored() >= jobs

    def stored(self) -> int:
        """Results that are stored."""
        if self._peer.results:
            return int(self._redis.hlen(self._peer.results))
        return int(self._redis.dbsize())

    def celery_states(self) -> Counter[str]:
        """How many of Celery's stored results are in each state."""
        keys = list(self._redis.scan_iter("celery-task-meta-*", count=1_000))
        found = self._redis.mget(keys) if keys else []
        return Counter(json.loads(value)["status"] for value in found if value)

    def close(self) -> None:
        """Close the connection that counts."""
        self._redis.close()


@contextmanager
def peer_session(bench: Bench, peer: Peer) -> Iterator[PeerSession]:
    """A session of ``peer``.

    Raises:
        StepFailed: the peers' environment is not there.
    """
    require_peers(bench)
    folder = bench.fresh_folder(peer.side)
    with EmbeddedRedis(folder / "redis") as server:
        session = PeerSession(bench, folder, peer, server)
        try:
            yield session
        finally:
            session.close()


def require_peers(bench: Bench) -> None:
    """Raise StepFailed, saying what to do, where the peers' interpreter is missing."""
    if not bench.peers_python.exists():
        raise StepFailed(f"{bench.peers_python} is not there; `make bench` sets it up")


def model_environment(bench: Bench) -> dict[str, str]:
    """Variables by which a peer, or the bare loop, runs the benchmark's model as ours does."""
    return {
        "PYTHONPATH": str(ROOT),
        THREADS: str(bench.tuned.threads),
        BUDGET: str(bench.tuned.budget),
        "BENCH_POISON": POISON,
    }
