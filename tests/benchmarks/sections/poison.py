"""One text that makes the model raise, among 31 good ones."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.children import wait_until
from tests.benchmarks.contenders.ours import ours
from tests.benchmarks.contenders.peers import BATCHES, peer_session
from tests.benchmarks.figures import Figures, Metric
from tests.benchmarks.interleave import Contender, interleave
from tests.benchmarks.sections.base import Run, Section
from tests.benchmarks.sides.environment import FLUSH
from tests.benchmarks.verdicts import Verdict, at_least

OURS = "ours"
ITEMS = 32
_PLACE = 17
_WIDE_BUDGET = 8_192
"""Padded tokens that hold all items in one micro-batch."""
_FLUSH_SECONDS = "1.0"
"""Long enough for the peer to fetch all items into one batch."""
_PEER_SECONDS = 8.0
"""Far more than the peer needs for a batch that succeeds."""


def _run(run: Run) -> None:
    # Once is enough: what is counted does not depend on the machine's speed.
    contenders = [
        Contender(OURS, lambda: _ours(run)),
        Contender(BATCHES.name, lambda: _batches(run)),
    ]
    interleave(contenders, 1, run.figures, run.say)


def _ours(run: Run) -> Mapping[str, float]:
    passes = run.bench.fresh_folder("passes") / "passes"
    with (
        ours(run.bench, token_budget=_WIDE_BUDGET) as session,
        session.worker("minilm", BENCH_PASSES=str(passes)) as worker,
    ):
        before = _lines(passes)
        session.client("enqueue", task="minilm", count=ITEMS, a_call=ITEMS, poison=_PLACE)
        wait_until(
            lambda: session.is_drained(ITEMS - 1), worker.child, run.bench.limit, "the batch"
        )
        return {
            "good": session.succeeded(),
            "explained": session.count("state != 'succeeded' AND error IS NOT NULL"),
            "passes": _lines(passes) - before,
        }


def _batches(run: Run) -> Mapping[str, float]:
    passes = run.bench.fresh_folder("passes") / "passes"
    with peer_session(run.bench, BATCHES) as session:
        session.client("enqueue", task="minilm", count=ITEMS, poison=_PLACE)
        with session.worker("minilm", BENCH_PASSES=str(passes), **{FLUSH: _FLUSH_SECONDS}):
            before = 1  # its model is warmed by one pass before it takes jobs
            end = time.monotonic() + _PEER_SECONDS
            while time.monotonic() < end and session.stored() < ITEMS:
                time.sleep(0.1)
            states = session.celery_states()
            return {
                "good": states["SUCCESS"],
                "explained": states["FAILURE"],
                "passes": _lines(passes) - before,
            }


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def _judge(figures: Figures) -> list[Verdict]:
    return [
        at_least(
            "6",
            f"good items of {ITEMS - 1} that succeed beside a poison one",
            figures.median(OURS, "good"),
            float(ITEMS - 1),
        ),
        at_least(
            "6", "the poison item is kept with its error", figures.median(OURS, "explained"), 1.0
        ),
    ]


SECTION = Section(
    name="poison",
    title="One poison item",
    summary="one raising text among 32: what becomes of the other 31",
    about=(
        f"{ITEMS} texts arrive together, one of which makes the forward pass raise. Ours finds it "
        "by halving and keeps it with its error. celery-batches gets a flush interval of a second "
        "here, so that all texts are in one batch. Forward passes are counted in the model."
    ),
    metrics=(
        Metric("good", f"good items that succeed, of {ITEMS - 1}"),
        Metric("explained", "failures with an explanation"),
        Metric("passes", "forward passes"),
    ),
    run=_run,
    judge=_judge,
)
