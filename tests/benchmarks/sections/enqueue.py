"""How quickly jobs are taken from their producers."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from tests.benchmarks.contenders.ours import LazyPostgres, ours
from tests.benchmarks.contenders.peers import CELERY_SOLO, DRAMATIQ, HUEY, Peer, peer_session
from tests.benchmarks.figures import Figures, Metric
from tests.benchmarks.interleave import Contender
from tests.benchmarks.sections.base import RATE, Run, Section
from tests.benchmarks.stats import percentile
from tests.benchmarks.verdicts import Verdict, at_least

CALLERS = 64
BULK = 1_000
DISK = "one write with fsync"
SEND_TASK = "Celery, send_task"
_PEERS = {SEND_TASK: CELERY_SOLO, "dramatiq, send": DRAMATIQ, "huey, enqueue": HUEY}
_WAYS: Mapping[str, Mapping[str, Any]] = {
    "1 caller": {"threads": 1},
    f"{CALLERS} callers": {"threads": CALLERS},
    f"{BULK:,} a transaction": {"a_call": BULK},
}
_STORES = ("SQLite", "PostgreSQL")
_FSYNCS = 200


def _name(store: str, way: str) -> str:
    return f"ours, {store}, {way}"


def _run(run: Run) -> None:
    with LazyPostgres() as postgres:
        contenders = [
            Contender(DISK, lambda: _disk(run)),
            *[_contender(run, name, peer) for name, peer in _PEERS.items()],
        ]
        for store in _STORES:
            for way, options in _WAYS.items():
                count = run.sizes.bulk if "a_call" in options else run.sizes.sends

                measure = partial(_ours, run, postgres, store, count, options)
                contenders.append(Contender(_name(store, way), measure))
        run.interleave(contenders)


def _ours(
    run: Run, postgres: LazyPostgres, store: str, count: int, options: Mapping[str, Any]
) -> Mapping[str, float]:
    url = postgres.fresh_database() if store == "PostgreSQL" else ""
    with ours(run.bench, url) as session:
        return _rate(session.client("enqueue", task="noop", count=count, **options))


def _contender(run: Run, name: str, peer: Peer) -> Contender:
    def measure() -> Mapping[str, float]:
        with peer_session(run.bench, peer) as session:
            return _rate(session.client("enqueue", task="noop", count=run.sizes.sends))

    return Contender(name, measure)


def _rate(found: Mapping[str, float]) -> dict[str, float]:
    return {
        "rate": found["count"] / found["seconds"],
        "cpu": found["cpu_seconds"] / found["count"] * 1e3,
    }


def _disk(run: Run) -> Mapping[str, float]:
    times = []
    with (run.bench.fresh_folder("disk") / "file").open("wb") as file:
        for _ in range(_FSYNCS):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1e3)
    return {"fsync": percentile(times, 50)}


def _judge(figures: Figures) -> list[Verdict]:
    many, bulk = _name("SQLite", f"{CALLERS} callers"), _name("SQLite", f"{BULK:,} a transaction")
    return [
        at_least(
            "4",
            f"durable submits/s from {CALLERS} callers, 1× Celery's send_task",
            figures.median(many, "rate"),
            figures.median(SEND_TASK, "rate"),
            1.0,
            figures.ratio(many, SEND_TASK, "rate"),
        ),
        at_least(
            "4", f"jobs/s enqueued {BULK:,} a transaction", figures.median(bulk, "rate"), 20_000.0
        ),
    ]


SECTION = Section(
    name="enqueue",
    title="Enqueuing",
    summary="enqueue rates: single with 1 and 64 callers, in bulk, beside the peers' senders",
    about=(
        "How many jobs a second one client process hands over. Ours are committed to SQL with "
        "fsync before the call returns, then published; the peers' are in Redis memory. So a "
        "single caller of ours is bound to the disk's commit time, which stands beside. No worker "
        "runs meanwhile. CPU is the client's."
    ),
    metrics=(RATE, Metric("cpu", "client CPU s per 1,000"), Metric("fsync", "ms, median")),
    run=_run,
    judge=_judge,
)
