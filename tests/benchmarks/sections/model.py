"""A small sentence encoder through the whole system, beside the bare loop."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.contenders.model import CLIENTS, bare_rate, mosec_rate
from tests.benchmarks.contenders.ours import ours
from tests.benchmarks.contenders.peers import BATCHES, CELERY_SOLO, Peer, peer_session
from tests.benchmarks.figures import Figures, Metric
from tests.benchmarks.interleave import Contender
from tests.benchmarks.sections.base import CPU, Run, Section
from tests.benchmarks.verdicts import Verdict, at_least

BARE = "bare loop, sorted by length"
NAIVE = "bare loop, 32 in arrival order"
OURS = "ours, one text a job"
OURS_SHARDS = "ours, 32 texts a job"
MOSEC = f"mosec, expert's sorting, {CLIENTS} clients"
CELERY = "Celery solo, one by one"
BATCHED = "celery-batches, 32 / 10 ms"
_SHARD = 32
_CLAIMS = ((BARE, 0.95), (CELERY, 3.0), (BATCHED, 3.0), (MOSEC, 1.0))


def _run(run: Run) -> None:
    bench, sizes = run.bench, run.sizes
    run.interleave(
        [
            Contender(BARE, lambda: bare_rate(bench, sizes.texts, "sorted")),
            Contender(OURS, lambda: _ours(run, 1)),
            Contender(OURS_SHARDS, lambda: _ours(run, _SHARD)),
            Contender(MOSEC, lambda: mosec_rate(bench, sizes.slow_texts)),
            Contender(NAIVE, lambda: bare_rate(bench, sizes.slow_texts, "arrival")),
            Contender(CELERY, lambda: _peer(run, CELERY_SOLO)),
            Contender(BATCHED, lambda: _peer(run, BATCHES)),
        ]
    )
    run.figures.note(
        f"Budget {bench.tuned.budget:,} padded tokens and {bench.tuned.threads} torch thread(s), "
        "as the worker's own tuning chose on this machine, for every system."
    )


def _ours(run: Run, group: int) -> Mapping[str, float]:
    count = run.sizes.texts
    with ours(run.bench) as session:
        session.client("enqueue", task="minilm", count=count, group=group, a_call=1_000)
        return session.drain("minilm", -(-count // group)).figures(count)


def _peer(run: Run, peer: Peer) -> Mapping[str, float]:
    count = run.sizes.slow_texts
    with peer_session(run.bench, peer) as session:
        session.client("enqueue", task="minilm", count=count)
        return session.drain("minilm", count).figures(count)


def _judge(figures: Figures) -> list[Verdict]:
    return [
        at_least(
            "1",
            f"texts/s with durable results, {times:g}× {name}",
            figures.median(OURS, "rate"),
            figures.median(name, "rate"),
            times,
            figures.ratio(OURS, name, "rate"),
        )
        for name, times in _CLAIMS
    ]


SECTION = Section(
    name="model",
    title="A model through the system",
    summary="MiniLM texts/s: the bare loop, ours, Celery, celery-batches, mosec",
    about=(
        "MiniLM-L6 with a two-class head, float32, on English comments of 10 to 200 words (median "
        "26). Everybody runs the same forward code on the same torch and thread count. The bare "
        "loop sorts all texts by length, which no system that serves as texts come can do; it is "
        "the limit. Slow systems get fewer texts of the same mix of lengths. mosec is driven over "
        "HTTP by callers that wait for their answers, and sorts and cuts each of its batches as an "
        "expert would."
    ),
    metrics=(Metric("rate", "texts/s"), CPU),
    run=_run,
    judge=_judge,
)
