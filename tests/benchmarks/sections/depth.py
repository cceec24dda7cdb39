"""Whether a job costs more when a million others wait."""

from __future__ import annotations

import time
from collections.abc import Mapping

import redis

from tests.benchmarks.children import StepFailed, wait_until
from tests.benchmarks.contenders.ours import Ours, ours
from tests.benchmarks.figures import Figures, Metric
from tests.benchmarks.interleave import reason
from tests.benchmarks.sections.base import CPU, Run, Section
from tests.benchmarks.stats import number
from tests.benchmarks.verdicts import Verdict, at_least

_A_CALL = 1_000
_SHARE = 2 / 3
_MEGABYTE = 1e6
_DRAIN_SECONDS = 40.0
_LOOKING = 10
"""Between two looks pass this many times the seconds that a look takes."""


def _name(depth: int) -> str:
    return f"{depth:,} queued"


def _run(run: Run) -> None:
    with ours(run.bench, tenant_backlog=0) as session:
        sent = 0
        for depth in run.sizes.depths:
            name = _name(depth)
            try:
                sent += _fill(run, session, depth - session.unfinished(), sent)
                for turn in range(run.sizes.rounds):
                    began = time.monotonic()
                    figures = _measure(run, session, sent)
                    sent += run.sizes.depth_jobs
                    run.figures.add(name, figures)
                    shown = ", ".join(f"{key} {number(value)}" for key, value in figures.items())
                    run.say(
                        f"round {turn + 1}/{run.sizes.rounds}  {name}: {shown}  "
                        f"({time.monotonic() - began:.1f} s)"
                    )
            except Exception as error:  # noqa: BLE001 - what was measured before still counts
                run.figures.fail(name, reason(error))
                run.say(f"{name}: FAILED: {reason(error)}")
                return


def _fill(run: Run, session: Ours, count: int, start: int) -> int:
    """Enqueue about ``count`` jobs in steps that each stay within the time limit."""
    end = time.monotonic() + run.sizes.fill_seconds
    sent = 0
    while sent < count:
        left = end - time.monotonic()
        if left <= 0:
            raise StepFailed(
                f"{count:,} jobs were not enqueued within {run.sizes.fill_seconds:.0f} s, "
                f"{sent:,} were"
            )
        sent += int(
            session.client(
                "enqueue",
                task="noop",
                count=count - sent,
                start=start + sent,
                a_call=_A_CALL,
                limit=left,
            )["count"]
        )
        run.say(f"filled to {session.unfinished():,}")
    return sent


def _measure(run: Run, session: Ours, start: int) -> Mapping[str, float]:
    jobs = run.sizes.depth_jobs
    sent = session.client("enqueue", task="noop", count=jobs, start=start, a_call=_A_CALL)
    with redis.Redis.from_url(session.settings.redis_url) as client:
        memory = client.info("memory")["used_memory"]
    before = session.unfinished()
    look_every = _LOOKING * _seconds_to_look(session)
    with session.worker("noop") as worker:
        cpu = worker.child.cpu_seconds()
        ended = wait_until(
            lambda: session.unfinished() <= before - jobs,
            worker.child,
            run.bench.limit,
            "the drain",
            look_every,
        )
        done = before - session.unfinished()
        cpu = worker.child.cpu_seconds() - cpu
        worker.child.end(_DRAIN_SECONDS)  # it gives back what it holds; a killed one would not
    return {
        "enqueue": sent["count"] / sent["seconds"],
        "rate": done / (ended - worker.ready_at),
        "cpu": cpu / done * 1e3,
        "redis": memory / _MEGABYTE,
        "sqlite": sum(file.stat().st_size for file in session.settings.home.glob("lepton.db*"))
        / _MEGABYTE,
    }


def _seconds_to_look(session: Ours) -> float:
    began = time.perf_counter()
    session.unfinished()
    return max(0.002, time.perf_counter() - began)


def _judge(figures: Figures) -> list[Verdict]:
    names = list(figures.values)
    if not names:
        return [at_least("flat", "cost per job at every queue depth", None, None)]
    shallow, deep = names[0], names[-1]
    return [
        at_least(
            "flat",
            f"{what}, {deep} beside {shallow} (a third either way is noise)",
            figures.median(deep, metric),
            figures.median(shallow, metric),
            _SHARE,
        )
        for metric, what in (("enqueue", "enqueued/s"), ("rate", "drained/s"))
        if deep != shallow
    ]


SECTION = Section(
    name="depth",
    title="Queue depth",
    summary="cost per no-op job with 1,000 to 1,000,000 others queued",
    about=(
        f"The queue is filled once to each depth in turn; there, jobs are enqueued {_A_CALL:,} a "
        "transaction and as many are drained by a fresh worker, again and again. Redis holds "
        "messages only, SQLite the jobs."
    ),
    metrics=(
        Metric("enqueue", "enqueued/s"),
        Metric("rate", "drained/s"),
        CPU,
        Metric("redis", "Redis MB"),
        Metric("sqlite", "SQLite MB"),
    ),
    run=_run,
    judge=_judge,
)
