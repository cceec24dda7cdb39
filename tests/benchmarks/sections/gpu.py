"""The model section's two ends on a CUDA device, where there is one."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from tests.benchmarks.contenders.base import Bench
from tests.benchmarks.contenders.model import bare, bare_rate
from tests.benchmarks.contenders.ours import ours
from tests.benchmarks.contenders.tuning import tune
from tests.benchmarks.figures import Figures, Metric
from tests.benchmarks.interleave import Contender
from tests.benchmarks.sections.base import CPU, Run, Section
from tests.benchmarks.verdicts import Verdict, at_least

BARE = "bare loop on the GPU"
OURS = "ours on the GPU"
_LOOK_SECONDS = 0.5
_QUERY = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]


def _run(run: Run) -> None:
    device = bare(run.bench, "cuda")["name"]
    if not device:
        run.figures.note("There is no CUDA device on this machine, so nothing was measured here.")
        run.say("skipped: no CUDA device")
        return
    bench = replace(run.bench, tuned=tune(run.bench, "cuda"))
    count = run.sizes.gpu_texts
    run.figures.note(f"The device is {device}; tuned to {bench.tuned.budget:,} padded tokens.")
    run.interleave(
        [
            Contender(BARE, lambda: bare_rate(bench, count, "sorted", device="cuda")),
            Contender(OURS, lambda: _ours(bench, count)),
        ]
    )


def _ours(bench: Bench, count: int) -> Mapping[str, float]:
    with ours(bench, device="cuda") as session:
        session.client("enqueue", task="minilm", count=count, a_call=1_000)
        with utilisation() as percents:
            figures = session.drain("minilm", count).figures(count)
        busy = [percent for percent in percents if percent > 0]
        return {**figures, "busy": sum(busy) / len(busy)} if busy else figures


@contextmanager
def utilisation() -> Iterator[list[float]]:
    """Per cent of the time that the first GPU computes, looked at twice a second."""
    percents: list[float] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(_LOOK_SECONDS):
            shown = subprocess.run(_QUERY, capture_output=True, text=True, check=False).stdout
            if shown.strip():
                percents.append(float(shown.splitlines()[0]))

    thread = threading.Thread(target=look, name="utilisation", daemon=True)
    thread.start()
    try:
        yield percents
    finally:
        done.set()
        thread.join()


def _judge(figures: Figures) -> list[Verdict]:
    if not figures.values:
        return []
    return [
        at_least(
            "1",
            "texts/s with durable results on the GPU, 0.95× the bare loop",
            figures.median(OURS, "rate"),
            figures.median(BARE, "rate"),
            0.95,
            figures.ratio(OURS, BARE, "rate"),
        )
    ]


SECTION = Section(
    name="gpu",
    title="On a GPU",
    summary="the bare loop and ours on a CUDA device; skipped where there is none",
    about="As in the model section, on a CUDA device, with the budget tuned for that device.",
    metrics=(Metric("rate", "texts/s"), CPU, Metric("busy", "GPU busy %")),
    run=_run,
    judge=_judge,
)
