"""A call that waits for its answer: one text over HTTP beside the model's forward pass."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lepton_tasks.embedded.commands import api_command
from lepton_tasks.launcher.ports import LOOPBACK, free_port
from tests.benchmarks.children import answer, running, wait_until
from tests.benchmarks.contenders.base import START_SECONDS, Bench
from tests.benchmarks.contenders.ours import ours, plugins
from tests.benchmarks.figures import Figures, Metric
from tests.benchmarks.interleave import Contender
from tests.benchmarks.sections.base import Run, Section
from tests.benchmarks.stats import percentile
from tests.benchmarks.verdicts import Verdict, at_most

HTTP = "POST /v1/moderations, stock openai client"
BARE = "bare forward pass"
PAUSE = 0.15
OVERHEAD_MS = 15.0


def _run(run: Run) -> None:
    count = max(10, round(run.sizes.light_seconds / PAUSE))
    run.interleave(
        [
            Contender(HTTP, lambda: _over_http(run.bench, count)),
            Contender(BARE, lambda: _bare(run.bench, count)),
        ]
    )


def _over_http(bench: Bench, count: int) -> Mapping[str, float]:
    with ours(bench) as session, session.worker("moderation"):
        key = session.store.keys.create(session.settings.default_tenant, "bench")
        port = free_port()
        folder = bench.fresh_folder("api")
        url = f"http://{LOOPBACK}:{port}"
        with running(api_command(port, LOOPBACK), session.environment(), folder / "log") as child:
            wait_until(lambda: _answers(url), child, START_SECONDS, "the start", 0.1)
            return _percentiles(bench, "calls", folder, url=url, key=key, count=count, pause=PAUSE)


def _bare(bench: Bench, count: int) -> Mapping[str, float]:
    folder = bench.fresh_folder("bare")
    threads = bench.tuned.threads
    return _percentiles(bench, "forwards", folder, threads=threads, count=count, pause=PAUSE)


def _percentiles(bench: Bench, command: str, folder: Path, **options: object) -> dict[str, float]:
    argv = [sys.executable, "-m", "tests.benchmarks.client", "answers", command]
    log = folder / "client.log"
    found = answer([*argv, json.dumps(options)], plugins(), log, bench.limit)["milliseconds"]
    return {"p50": percentile(found, 50), "p95": percentile(found, 95)}


def _answers(url: str) -> bool:
    with (
        suppress(OSError),
        urllib.request.urlopen(f"{url}/healthz", timeout=2) as response,  # noqa: S310
    ):
        return bool(response.status == 200)
    return False


def _judge(figures: Figures) -> list[Verdict]:
    bare = figures.median(BARE, "p50")
    return [
        at_most(
            "8",
            f"p50 ms of one text over HTTP, at most twice the forward pass and {OVERHEAD_MS:g} ms",
            figures.median(HTTP, "p50"),
            None if bare is None else 2 * bare + OVERHEAD_MS,
        )
    ]


SECTION = Section(
    name="answers",
    title="A call that waits for its answer",
    summary="milliseconds of one moderation over HTTP beside the model's forward pass",
    about=(
        "One caller, one text at a time, 0.15 s between them: over HTTP the whole of it "
        "(authentication, admission, a durable row, the queue, tokenising, the forward pass, the "
        "stored result, JSON), bare the forward pass alone, of the same texts by the same model "
        "with the same threads."
    ),
    metrics=(Metric("p50", "p50 ms"), Metric("p95", "p95 ms")),
    run=_run,
    judge=_judge,
)
