"""Urgent jobs under a saturating bulk load, and what their protection costs the bulk."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

from tests.benchmarks.children import StepFailed
from tests.benchmarks.contenders.ours import Ours, ours
from tests.benchmarks.figures import Figures, Metric
from tests.benchmarks.interleave import Contender
from tests.benchmarks.sections.base import Run, Section
from tests.benchmarks.stats import percentile
from tests.benchmarks.verdicts import Verdict, at_most

URGENT_RATE = 2.0
IDLE = "urgent on an idle worker"
BULK = "bulk alone"
CAPS_MS = (50, 100, 200)
DEFAULT_CAP_MS = 100
_URGENT_START = 10_000_000
_SETTLE_SECONDS = 2.0
_MARGIN_SECONDS = 20.0
_FASTER = 2.0
_LEAST_RATE = 200.0
"""Texts a second that the load is enough for, should tuning have met a busy machine."""


def mixed(cap_ms: int) -> str:
    """Row of both loads at a step cap.

    >>> mixed(50)
    'both, step cap 50 ms'
    """
    return f"both, step cap {cap_ms} ms"


def _run(run: Run) -> None:
    contenders = [Contender(IDLE, lambda: _idle(run)), Contender(BULK, lambda: _bulk(run))]
    contenders += [Contender(mixed(cap_ms), partial(_mixed, run, cap_ms)) for cap_ms in CAPS_MS]
    run.interleave(contenders)


def _idle(run: Run) -> Mapping[str, float]:
    with ours(run.bench) as session, session.worker("minilm"):
        return _urgent(run, session)


def _bulk(run: Run) -> Mapping[str, float]:
    with ours(run.bench) as session:
        _fill(run, session)
        with session.worker("minilm"):
            time.sleep(_SETTLE_SECONDS + run.sizes.urgent_seconds)
            now = time.time()
            return {"rate": _bulk_rate(session, now - run.sizes.urgent_seconds, now)}


def _mixed(run: Run, cap_ms: int) -> Mapping[str, float]:
    with ours(run.bench, step_cap_seconds=cap_ms / 1e3) as session:
        _fill(run, session)
        with session.worker("minilm"):
            time.sleep(_SETTLE_SECONDS)
            found = _urgent(run, session)
            began, ended = session.span("priority = 'high'", "created_at")
            return {**found, "rate": _bulk_rate(session, began, ended)}


def _fill(run: Run, session: Ours) -> None:
    """Enqueue more bulk work than the worker can do meanwhile."""
    seconds = run.sizes.urgent_seconds + _MARGIN_SECONDS
    rate = max(_LEAST_RATE, run.bench.tuned.texts_per_second * _FASTER)
    session.client(
        "enqueue", task="minilm", count=int(rate * seconds), a_call=1_000, priority="bulk"
    )


def _urgent(run: Run, session: Ours) -> dict[str, float]:
    found = session.client(
        "latency",
        task="minilm",
        rate=URGENT_RATE,
        seconds=run.sizes.urgent_seconds,
        start=_URGENT_START,
        priority="high",
    )["milliseconds"]
    return {"p50": percentile(found, 50), "p95": percentile(found, 95)}


def _bulk_rate(session: Ours, began: float, ended: float) -> float:
    if not session.queued():
        raise StepFailed("the bulk load ran out while it was measured")
    done = session.count(
        f"priority = 'bulk' AND state = 'succeeded' AND finished_at BETWEEN {began} AND {ended}"
    )
    return done / (ended - began)


def _judge(figures: Figures) -> list[Verdict]:
    idle = figures.median(IDLE, "p95")
    limit = None if idle is None else idle + 1.2 * DEFAULT_CAP_MS
    return [
        at_most(
            "5",
            f"p95 ms of urgent jobs under bulk load, at most idle p95 + 1.2 × {DEFAULT_CAP_MS} ms",
            figures.median(mixed(DEFAULT_CAP_MS), "p95"),
            limit,
        )
    ]


SECTION = Section(
    name="priority",
    title="Urgent work under load",
    summary="latency of high-priority texts beside a saturating bulk load, by step cap",
    about=(
        f"High-priority MiniLM jobs at {URGENT_RATE:g} a second, first on an idle worker, then "
        "beside a bulk backlog that never runs out. While urgent work is about, a micro-batch "
        "may take no longer than the step cap (`LEPTON_STEP_CAP_SECONDS`, default "
        f"{DEFAULT_CAP_MS} ms): the bulk rate beside it, against that of bulk alone, is what the "
        "cap costs."
    ),
    metrics=(
        Metric("p50", "urgent p50 ms"),
        Metric("p95", "urgent p95 ms"),
        Metric("rate", "bulk texts/s"),
    ),
    run=_run,
    judge=_judge,
)
