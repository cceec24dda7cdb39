"""How many webhooks one io worker sends, and what a hanging endpoint costs the others."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import text

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.wakeups import announce
from lepton_tasks.ids import new_id
from lepton_tasks.states import DeliveryState
from lepton_tasks.store.settle import deliver
from tests.benchmarks.children import Child, running, wait_until
from tests.benchmarks.contenders.base import START_SECONDS
from tests.benchmarks.contenders.ours import LazyPostgres, Ours, ours
from tests.benchmarks.figures import Figures, Metric
from tests.benchmarks.interleave import Contender
from tests.benchmarks.sections.base import Run, Section
from tests.benchmarks.stats import percentile
from tests.benchmarks.verdicts import Verdict, at_least, at_most

STORES = ("SQLite", "PostgreSQL")
HEALTHY = 49
ALONE = f"{HEALTHY} healthy endpoints"
BESIDE = f"{HEALTHY} healthy beside a hanging one"
_A_TRANSACTION = 500
_TEXT = "这家店的服务真好 and the food was warm. " * 12
"""Makes a body of about 1 kB, as events with a result have."""
_RATE = 100.0
"""Events a second to all healthy endpoints together, while latency is measured."""
_FIRST_TO_LAST = "SELECT max(at) - min(at - seconds) FROM delivery_attempts"
_HANGING = 200
"""Deliveries that the hanging endpoint is owed from the start."""


def drained(store: str, hosts: int) -> str:
    """Row of a backlog to some endpoints.

    >>> drained("SQLite", 50)
    'SQLite, 50 endpoints'
    """
    return f"{store}, {hosts} endpoint{'s' * (hosts > 1)}"


@dataclass(frozen=True)
class _Receiver:
    port: int

    def url(self, host: int, path: str = "/hook") -> str:
        """URL of one of the receiver's hosts."""
        return f"http://127.0.0.{host}:{self.port}{path}"


def _run(run: Run) -> None:
    with LazyPostgres() as postgres:
        contenders = [
            Contender(drained(store, hosts), partial(_drain, run, postgres, store, hosts))
            for store in STORES
            for hosts in (1, 50)
        ]
        contenders += [
            Contender(ALONE, lambda: _latency(run, hanging=False)),
            Contender(BESIDE, lambda: _latency(run, hanging=True)),
        ]
        run.interleave(contenders)


def _drain(run: Run, postgres: LazyPostgres, store: str, hosts: int) -> Mapping[str, float]:
    url = postgres.fresh_database() if store == "PostgreSQL" else ""
    count = run.sizes.webhooks
    with _session(run, url) as session, _receiver(run) as receiver:
        _owe(session, [receiver.url(1 + number % hosts) for number in range(count)])
        with _io(run, session) as child:
            cpu = child.cpu_seconds()
            delivered = partial(_count, session, "state = 'delivered'")
            wait_until(lambda: delivered() == count, child, run.bench.limit, "the drain")
            cpu = child.cpu_seconds() - cpu
        with session.store.database.read() as connection:
            seconds = float(connection.execute(text(_FIRST_TO_LAST)).scalar_one())
    return {"rate": count / seconds, "cpu": cpu / count * 1e3}


def _latency(run: Run, hanging: bool) -> Mapping[str, float]:
    with (
        _session(run) as session,
        _receiver(run) as receiver,
        connect(session.settings.redis_url, 5.0) as client,
    ):
        if hanging:
            _owe(session, [receiver.url(200, "/hang")] * _HANGING)
        with _io(run, session) as child:
            begun, sent = time.monotonic(), 0
            while (passed := time.monotonic() - begun) < run.sizes.urgent_seconds:
                due = int(passed * _RATE) - sent
                _owe(session, [receiver.url(1 + (sent + n) % HEALTHY) for n in range(due)])
                announce(client, [], deliveries=True)
                sent += due
                time.sleep(0.02)
            delivered = partial(_count, session, "state = 'delivered'")
            wait_until(lambda: delivered() == sent, child, run.bench.limit, "the healthy ones")
        query = "SELECT finished_at - created_at FROM deliveries WHERE state = 'delivered'"
        with session.store.database.read() as connection:
            waits = [float(row[0]) * 1e3 for row in connection.execute(text(query))]
    return {"p50": percentile(waits, 50), "p99": percentile(waits, 99)}


@contextmanager
def _session(run: Run, url: str = "") -> Iterator[Ours]:
    with ours(run.bench, url, webhook_private_networks="127.0.0.0/8") as session:
        yield session


@contextmanager
def _receiver(run: Run) -> Iterator[_Receiver]:
    folder = run.bench.fresh_folder("receiver")
    file = folder / "port"
    argv = [sys.executable, "-m", "tests.benchmarks.sides.receiver", str(file)]
    with running(argv, {}, folder / "log") as child:
        wait_until(lambda: file.exists() and file.read_text() != "", child, START_SECONDS, "it")
        yield _Receiver(int(file.read_text()))


@contextmanager
def _io(run: Run, session: Ours) -> Iterator[Child]:
    folder = run.bench.fresh_folder("io")
    argv = [sys.executable, "-m", "lepton_tasks", "io"]
    log = folder / "log"
    with running(argv, session.environment(), log) as child:
        wait_until(lambda: "ready" in log.read_text(), child, START_SECONDS, "the start", 0.005)
        yield child


def _owe(session: Ours, urls: list[str]) -> None:
    """Create deliveries that are due now."""
    for start in range(0, len(urls), _A_TRANSACTION):
        rows = []
        for url in urls[start : start + _A_TRANSACTION]:
            event_id = new_id("evt")
            rows.append(
                {
                    "id": event_id,
                    "event_id": event_id,
                    "tenant": "bench",
                    "url": url,
                    "event_type": "job.succeeded",
                    "body": f'{{"id":"{event_id}","text":"{_TEXT}"}}'.encode(),
                    "state": DeliveryState.PENDING,
                    "attempt": 0,
                    "fence": 0,
                }
            )
        with session.store.database.write() as connection:
            deliver(connection, rows)


def _count(session: Ours, condition: str) -> int:
    query = text(f"SELECT count(*) FROM deliveries WHERE {condition}")  # noqa: S608
    with session.store.database.read() as connection:
        return int(connection.execute(query).scalar_one())


def _judge(figures: Figures) -> list[Verdict]:
    return [
        *(
            at_least(
                "8",
                f"webhooks/s from one io worker, attempts recorded, {store}",
                figures.median(drained(store, 1), "rate"),
                1_000.0,
            )
            for store in STORES
        ),
        at_most(
            "8",
            "p99 ms of healthy endpoints beside a hanging one, at most 1.2× without it",
            figures.median(BESIDE, "p99"),
            None if (alone := figures.median(ALONE, "p99")) is None else 1.2 * alone,
        ),
    ]


SECTION = Section(
    name="webhooks",
    title="Webhooks",
    summary="webhooks a second from one io worker; healthy endpoints beside a hanging one",
    about=(
        "A backlog of signed events of about 1 kB goes from one `lepton io` to a receiver on the "
        "same machine that answers at once, every attempt recorded with fsync; CPU is the io "
        f"worker's. Then {_RATE:g} events a second go to {HEALTHY} endpoints, "
        "each from its creation to its recorded delivery, without and with one more endpoint that "
        f"is owed {_HANGING} events and never answers."
    ),
    metrics=(
        Metric("rate", "webhooks/s"),
        Metric("cpu", "io worker CPU s per 1,000"),
        Metric("p50", "p50 ms"),
        Metric("p99", "p99 ms"),
    ),
    run=_run,
    judge=_judge,
)
