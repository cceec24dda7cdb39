"""No-op jobs: what the path of a job costs by itself."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.contenders.ours import LazyPostgres, ours
from tests.benchmarks.contenders.peers import (
    BATCHES,
    CELERY_PREFORK,
    CELERY_SOLO,
    DRAMATIQ,
    HUEY,
    Peer,
    peer_session,
)
from tests.benchmarks.figures import Figures
from tests.benchmarks.interleave import Contender
from tests.benchmarks.sections.base import CPU, RATE, Run, Section
from tests.benchmarks.verdicts import Verdict, at_least

OURS = "ours, SQLite"
OURS_POSTGRES = "ours, PostgreSQL"
_SLOW = (CELERY_SOLO, CELERY_PREFORK, BATCHES)
_QUICK = (DRAMATIQ, HUEY)
_STOCK = (CELERY_SOLO.name, CELERY_PREFORK.name)
_TARGET = 3_000.0


def _run(run: Run) -> None:
    with LazyPostgres() as postgres:
        run.interleave(
            [
                Contender(OURS, lambda: _ours(run, "")),
                *[_contender(run, peer, run.sizes.slow_backlog) for peer in _SLOW],
                Contender(OURS_POSTGRES, lambda: _ours(run, postgres.fresh_database())),
                *[_contender(run, peer, run.sizes.backlog) for peer in _QUICK],
            ]
        )


def _ours(run: Run, database_url: str) -> Mapping[str, float]:
    jobs = run.sizes.backlog
    with ours(run.bench, database_url) as session:
        session.client("enqueue", task="noop", count=jobs, a_call=1_000)
        return session.drain("noop", jobs).figures(jobs)


def _contender(run: Run, peer: Peer, jobs: int) -> Contender:
    def measure() -> Mapping[str, float]:
        with peer_session(run.bench, peer) as session:
            session.client("enqueue", task="noop", count=jobs)
            return session.drain("noop", jobs).figures(jobs)

    return Contender(peer.name, measure)


def _judge(figures: Figures) -> list[Verdict]:
    rate = figures.median(OURS, "rate")
    stock = figures.best(_STOCK, "rate") or CELERY_SOLO.name
    peers = [peer.name for peer in (*_SLOW, *_QUICK)]
    quickest = figures.best(peers, "rate") or HUEY.name
    against = [
        at_least(
            "2",
            f"no-op jobs, {times:g}× {name}",
            rate,
            figures.median(name, "rate"),
            times,
            figures.ratio(OURS, name, "rate"),
        )
        for times, name in ((5.0, stock), (1.5, quickest))
    ]
    return [at_least("2", "no-op jobs/s with durable results", rate, _TARGET), *against]


SECTION = Section(
    name="queue",
    title="The queue by itself",
    summary="no-op jobs drained by one worker, results stored: ours and Python's queues",
    about=(
        "A backlog of no-op jobs is enqueued first; then one worker starts, and the time runs from "
        "the moment it takes jobs until the last result is stored: in SQL for ours (claimed, "
        "fenced, committed with fsync), in Redis memory for the others. Systems that drain a few "
        "hundred a second get a shorter backlog. CPU is that of the worker's processes, not of "
        "Redis or PostgreSQL. celery-batches takes up to 64 messages, flushed every 10 ms."
    ),
    metrics=(RATE, CPU),
    run=_run,
    judge=_judge,
)
