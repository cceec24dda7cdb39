"""A small sentence encoder through the whole system, beside the bare loop."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tests.benchmarks.children import wait_until
from tests.benchmarks.contenders.base import Drained
from tests.benchmarks.contenders.model import CLIENTS, bare_rate, mosec_rate
from tests.benchmarks.contenders.ours import ours
from tests.benchmarks.contenders.peers import BATCHES, CELERY_SOLO, Peer, peer_session
from tests.benchmarks.figures import Figures, Metric
from tests.benchmarks.interleave import Contender
from tests.benchmarks.sections.base import CPU, Run, Section
from tests.benchmarks.sides.environment import ENGINE
from tests.benchmarks.verdicts import Verdict, at_least

STOCK = "stock"
LENT = "our engine lent"
BARE = "bare loop, sorted by length"
BARE_STOCK = f"{BARE}, {STOCK}"
NAIVE = f"bare loop, 32 in arrival order, {STOCK}"
OURS = "ours, one text a job"
OURS_SHARDS = "ours, 32 texts a job"
OURS_PROCESSES = "ours, one text a job, a process a core"
MOSEC = f"mosec, expert's sorting, {LENT}"
_SHARD = 32
_PEERS = (CELERY_SOLO, BATCHES)


def named(peer: Peer, engine: str) -> str:
    """Row of a peer with its own or with our engine.

    >>> named(BATCHES, STOCK), named(BATCHES, LENT)
    ('celery-batches, stock', 'celery-batches, our engine lent')
    """
    return f"{peer.name}, {engine}"


def _run(run: Run) -> None:
    bench, sizes = run.bench, run.sizes
    contenders = [
        Contender(BARE, lambda: bare_rate(bench, sizes.texts, "sorted")),
        Contender(OURS, lambda: _ours(run, sizes.texts, 1)),
        Contender(OURS_SHARDS, lambda: _ours(run, sizes.texts // 2, _SHARD)),
        Contender(OURS_PROCESSES, lambda: _processes(run, sizes.texts)),
        Contender(MOSEC, lambda: mosec_rate(bench, sizes.slow_texts)),
        Contender(BARE_STOCK, lambda: bare_rate(bench, sizes.slow_texts, "sorted", engine="stock")),
        Contender(NAIVE, lambda: bare_rate(bench, sizes.slow_texts, "arrival", engine="stock")),
    ]
    contenders += [
        Contender(named(peer, engine), partial(_peer, run, peer, engine))
        for engine in (STOCK, LENT)
        for peer in _PEERS
    ]
    run.interleave(contenders)
    run.figures.note(
        f"Budget {bench.tuned.budget:,} padded tokens and {bench.tuned.threads} torch thread(s), "
        "as the worker's own tuning chose on this machine, for every system."
    )


def _ours(run: Run, count: int, group: int) -> Mapping[str, float]:
    with ours(run.bench) as session:
        session.client("enqueue", task="minilm", count=count, group=group, a_call=1_000)
        return session.drain("minilm", -(-count // group)).figures(count)


def _processes(run: Run, count: int) -> Mapping[str, float]:
    """Texts that come to workers which wait for them: from the first row to the last result."""
    threads = run.bench.tuned.threads
    with ours(run.bench) as session, session.workers("minilm", threads) as child:
        cpu = child.cpu_seconds()
        session.client("enqueue", task="minilm", count=count, group=1, a_call=1_000)
        wait_until(lambda: session.is_drained(count), child, run.bench.limit, "the drain")
        began, _ = session.span("true", "created_at")
        _, ended = session.span("true", "finished_at")
        return Drained(ended - began, child.cpu_seconds() - cpu).figures(count)


def _peer(run: Run, peer: Peer, engine: str) -> Mapping[str, float]:
    count = run.sizes.slow_texts
    with peer_session(run.bench, peer) as session:
        session.client("enqueue", task="minilm", count=count)
        return session.drain("minilm", count, **{ENGINE: engine}).figures(count)


def _judge(figures: Figures) -> list[Verdict]:
    claims = [(BARE, 0.95)]
    claims += [(named(peer, engine), 3.0) for engine in (STOCK, LENT) for peer in _PEERS]
    claims.append((MOSEC, 1.0))
    return [
        at_least(
            "1",
            f"texts/s with durable results, {how}, {times:g}× {name}",
            figures.median(own, "rate"),
            figures.median(name, "rate"),
            times,
            figures.ratio(own, name, "rate"),
        )
        for own, how in ((OURS, "one process"), (OURS_PROCESSES, "a process a core"))
        for name, times in claims
    ]


SECTION = Section(
    name="model",
    title="A model through the system",
    summary="MiniLM texts/s: the bare loop, ours, Celery, celery-batches, mosec",
    about=(
        "MiniLM-L6 with a two-class head, float32, on English comments of 10 to 200 words (median "
        "26), all on the same torch and thread count. The bare loop sorts all texts by length, "
        "which no system that serves as texts come can do; it is the limit. Rows marked "
        f"*{STOCK}* run transformers' own model on padded batches, as users of those systems do; "
        "*a process a core* is `lepton worker --per-device`: processes of one thread each, as many "
        f"as the others have threads; rows marked *{LENT}* run our engine, which computes padding "
        "in attention alone, so they show what the queue and the batching are worth by "
        "themselves. Slow systems get fewer "
        f"texts of the same mix of lengths. mosec is driven over HTTP by {CLIENTS} callers that "
        "wait for their answers, and sorts and cuts each of its batches as an expert would. "
        "celery-batches takes up to 32 texts, flushed every 10 ms."
    ),
    metrics=(Metric("rate", "texts/s"), CPU),
    run=_run,
    judge=_judge,
)
