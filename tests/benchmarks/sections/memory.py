"""Resident memory of every process: a model worker over many texts, and a long bulk file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import redis

from lepton_tasks.embedded.commands import lepton_command
from tests.benchmarks.children import StepFailed, peak, resident_of, running, wait_until
from tests.benchmarks.contenders.ours import Ours, ours
from tests.benchmarks.figures import Figures, Metric
from tests.benchmarks.interleave import reason
from tests.benchmarks.sections.base import Run, Section
from tests.benchmarks.texts import short_text
from tests.benchmarks.verdicts import Verdict, at_most

WORKER = "MiniLM worker, texts one a job"
BULK = {
    "worker": "bulk file, worker (no-op)",
    "io": "bulk file, io worker",
    "command": "bulk file, lepton batch run",
    "redis": "bulk file, Redis",
}
_MEGABYTE = 1e6


def _run(run: Run) -> None:
    for what, measure in ((WORKER, _worker), (BULK["command"], _bulk)):
        began = time.monotonic()
        try:
            found = measure(run)
        except Exception as error:  # noqa: BLE001 - the other half still counts
            run.figures.fail(what, reason(error))
            run.say(f"{what}: FAILED: {reason(error)}")
            continue
        for name, figures in found.items():
            run.figures.add(name, figures)
            run.say(f"{name}: peak {figures['peak']:.0f} MB, grew by {figures['growth']:.0f} MB")
        run.say(f"{what}: {time.monotonic() - began:.1f} s")


def _worker(run: Run) -> dict[str, Mapping[str, float]]:
    count = run.sizes.memory_texts
    with ours(run.bench) as session:
        session.client("enqueue", task="minilm", count=count, a_call=1_000)
        with session.worker("minilm") as worker:
            start = worker.child.resident()
            with peak({WORKER: worker.child.resident}) as most:
                wait_until(
                    lambda: session.is_drained(count), worker.child, run.bench.limit, "the run", 0.2
                )
    return {WORKER: _figures(count, start, most[WORKER])}


def _bulk(run: Run) -> dict[str, Mapping[str, float]]:
    lines = run.sizes.batch_lines
    with ExitStack() as stack:
        session = stack.enter_context(ours(run.bench))
        folder = run.bench.fresh_folder("bulk")
        source = folder / "in.jsonl"
        with source.open("w") as file:
            file.writelines(json.dumps({"text": short_text(n)}) + "\n" for n in range(lines))
        environment = session.environment()
        worker = stack.enter_context(session.worker("noop")).child
        io = stack.enter_context(running(lepton_command("io"), environment, folder / "io.log"))
        command = stack.enter_context(
            running(_batch_run(source, folder), environment, folder / "batch.log")
        )
        wait_until(lambda: session.succeeded() > 0, command, run.bench.limit, "the first lines")
        looks: dict[str, Callable[[], int]] = {
            "worker": worker.resident,
            "io": io.resident,
            "command": command.resident,
            "redis": _redis_resident(session),
        }
        start = {name: look() for name, look in looks.items()}
        with peak(looks) as most:
            code = command.wait(run.bench.limit)
        done = _lines(folder / "out.jsonl")
        if code or done != lines:
            raise StepFailed(f"exit code {code}, {done:,} of {lines:,} lines: {command.log_end()}")
        with redis.Redis.from_url(session.settings.redis_url) as client:
            data = client.info("memory")["used_memory_peak"] / _MEGABYTE
        run.figures.note(f"Redis held at most {data:.1f} MB of data during the bulk file.")
    return {BULK[name]: _figures(lines, start[name], most[name]) for name in looks}


def _batch_run(source: Path, folder: Path) -> list[str]:
    return lepton_command(
        *("batch", "run", str(source), "--task", "noop", "-o", str(folder / "out.jsonl"))
    )


def _redis_resident(session: Ours) -> Callable[[], int]:
    with redis.Redis.from_url(session.settings.redis_url) as client:
        pid = int(client.info("server")["process_id"])
    return lambda: resident_of(pid)


def _figures(texts: int, start: int, most: int) -> dict[str, float]:
    return {
        "texts": texts,
        "start": start / _MEGABYTE,
        "peak": most / _MEGABYTE,
        "growth": max(0, most - start) / _MEGABYTE,
    }


def _lines(path: Path) -> int:
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _judge(figures: Figures) -> list[Verdict]:
    growths = [figures.median(name, "growth") for name in BULK.values()]
    found = [growth for growth in growths if growth is not None]
    lines = figures.median(BULK["command"], "texts")
    file = "a bulk file" if lines is None else f"a bulk file of {lines:,.0f} lines"
    return [
        at_most("7", "MB resident, MiniLM worker", figures.median(WORKER, "peak"), 490.0),
        at_most(
            "7",
            f"MB by which any process grows over {file}",
            max(found) if len(found) == len(BULK) else None,
            100.0,
        ),
        at_most("7", f"MB resident, Redis, {file}", figures.median(BULK["redis"], "peak"), 64.0),
    ]


SECTION = Section(
    name="memory",
    title="Memory",
    summary="peak resident memory of a model worker, and of every process during a bulk file",
    about=(
        "Resident memory (RSS) as the kernel counts it, sampled five times a second. The model "
        "worker's start is when it takes jobs, warm; that of the processes around a bulk file is "
        "when its first lines are done, so what they import is not growth."
    ),
    metrics=(
        Metric("texts", "texts"),
        Metric("start", "MB at the start"),
        Metric("peak", "MB at most"),
        Metric("growth", "MB grown"),
    ),
    run=_run,
    judge=_judge,
)
