"""Light load: how long one job takes when nothing is in its way."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.contenders.base import Session
from tests.benchmarks.contenders.ours import ours
from tests.benchmarks.contenders.peers import BATCHES, CELERY_SOLO, Peer, peer_session
from tests.benchmarks.figures import Figures, Metric
from tests.benchmarks.interleave import Contender
from tests.benchmarks.sections.base import Run, Section
from tests.benchmarks.stats import percentile
from tests.benchmarks.verdicts import Verdict, at_most

RATE = 20.0
OURS = "ours"
TASKS = {"noop": "no-op", "minilm": "MiniLM"}
SYSTEMS = (OURS, CELERY_SOLO.name, BATCHES.name)


def name(system: str, task: str) -> str:
    """Row of a system and a task.

    >>> name("ours", "noop")
    'ours, no-op'
    """
    return f"{system}, {TASKS[task]}"


def _run(run: Run) -> None:
    contenders = []
    for task in TASKS:
        contenders.append(_ours(run, task))
        contenders += [_peer(run, peer, task) for peer in (CELERY_SOLO, BATCHES)]
    run.interleave(contenders)


def _ours(run: Run, task: str) -> Contender:
    def measure() -> Mapping[str, float]:
        with ours(run.bench) as session:
            return _latency(run, session, task)

    return Contender(name(OURS, task), measure)


def _peer(run: Run, peer: Peer, task: str) -> Contender:
    def measure() -> Mapping[str, float]:
        with peer_session(run.bench, peer) as session:
            return _latency(run, session, task)

    return Contender(name(peer.name, task), measure)


def _latency(run: Run, session: Session, task: str) -> Mapping[str, float]:
    with session.worker(task):
        seconds = run.sizes.light_seconds
        found = session.client("latency", task=task, rate=RATE, seconds=seconds)["milliseconds"]
    return {"p50": percentile(found, 50), "p95": percentile(found, 95)}


def _judge(figures: Figures) -> list[Verdict]:
    verdicts = []
    for task, shown in TASKS.items():
        own = name(OURS, task)
        for percent, peer in (("p50", CELERY_SOLO), ("p95", BATCHES)):
            other = name(peer.name, task)
            verdicts.append(
                at_most(
                    "3",
                    f"{percent} ms at {RATE:g}/s, {shown}, at most that of {peer.name}",
                    figures.median(own, percent),
                    figures.median(other, percent),
                    1.0,
                    figures.ratio(own, other, percent),
                )
            )
    return verdicts


SECTION = Section(
    name="latency",
    title="Light load",
    summary=f"milliseconds from submit to known result at {RATE:g} jobs a second",
    about=(
        f"{RATE:g} jobs a second, sent on schedule whether or not earlier ones are back (open "
        "loop), from the scheduled moment until the client's own code has the result: "
        "`Producer.submit` and `wait` for ours, durable on both ways, `send_task` and "
        "`AsyncResult.get` for Celery."
    ),
    metrics=(Metric("p50", "p50 ms"), Metric("p95", "p95 ms")),
    run=_run,
    judge=_judge,
)
