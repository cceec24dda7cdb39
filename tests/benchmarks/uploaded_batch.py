"""A batch of an uploaded file, and what it costs: ``python -m tests.benchmarks.uploaded_batch``.

    --lines 20000        lines of the file
    --task noop          or moderation, with its model
    --postgresql         the store on PostgreSQL; else SQLite
    --out FOLDER         for batch.json and batch-memory.svg; the current one where left out

One worker process, one io worker, one API process, one Redis. First the same texts are
submitted by ``Producer.submit_many`` from a process of its own, as jobs of the shard size: that
is the worker's limit on this machine in this run. Then the file is uploaded over HTTP, a batch
of it made and waited for, and its output downloaded and checked line by line. Meanwhile the
memory of every process is sampled (PSS where the kernel tells it), and what Redis holds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
import redis

from lepton_tasks import Client
from lepton_tasks.bulk.shards import DEFAULT_SHARD_SIZE
from lepton_tasks.client.batch_handles import BatchHandle
from lepton_tasks.embedded.commands import api_command, lepton_command
from lepton_tasks.launcher.ports import LOOPBACK, free_port
from lepton_tasks.producer import Producer
from lepton_tasks.requests import JobRequest
from lepton_tasks.settings import load_settings
from lepton_tasks.store.batches import Batch
from tests.benchmarks.children import Child, StepFailed, running, wait_until
from tests.benchmarks.contenders.base import START_SECONDS, Bench
from tests.benchmarks.contenders.ours import LazyPostgres, Ours, ours
from tests.benchmarks.timelines import Timeline, over_time
from tests.support.uploads import request_line

_LIMIT: Final = 7_200.0
_SAMPLE_SECONDS: Final = 1.0
_MEGABYTE: Final = 1e6


def text(number: int) -> str:
    """A distinct short comment, in one of two languages."""
    return f"第 {number} 条评论，服务真不错" if number % 2 else f"Comment {number}: that was quick."


def submit(lines: int, task: str) -> None:
    """Submit the texts as a producer does, by the shard."""
    with Producer(load_settings()) as producer:
        requests = (
            JobRequest(
                task=task,
                inputs=[text(n) for n in range(first, min(first + DEFAULT_SHARD_SIZE, lines))],
                priority="bulk",
            )
            for first in range(0, lines, DEFAULT_SHARD_SIZE)
        )
        for _ in producer.submit_many(requests):
            pass


@dataclass
class Samples:
    """Megabytes by name, over seconds, and the most that Redis held."""

    points: defaultdict[str, list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def growth(self, name: str) -> float:
        """By how much the process has grown since the first sample."""
        values = [value for _, value in self.points[name]]
        return max(values) - values[0] if values else 0.0

    def peak(self, name: str) -> float:
        """The most that was seen."""
        return max((value for _, value in self.points[name]), default=0.0)


@contextmanager
def sampled(looks: Mapping[str, Callable[[], float]]) -> Iterator[Samples]:
    """Look once a second while the block runs."""
    samples, stop, began = Samples(), threading.Event(), time.monotonic()

    def work() -> None:
        while not stop.is_set():
            for name, look in looks.items():
                with contextlib.suppress(psutil.Error, redis.RedisError):
                    samples.points[name].append((time.monotonic() - began, look() / _MEGABYTE))
            stop.wait(_SAMPLE_SECONDS)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def memory_of(pid: int) -> float:
    """Bytes of a process and its children: their share of what they share, or all of it."""
    own = psutil.Process(pid)
    total = 0.0
    for process in (own, *own.children(recursive=True)):
        facts = process.memory_full_info()
        total += getattr(facts, "pss", 0) or facts.rss
    return total


def _baseline(session: Ours, io: Child, folder: Path, lines: int, task: str) -> float:
    """Texts a second when they are submitted straight away."""
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.uploaded_batch",
        "--submit",
        "--lines",
        str(lines),
        "--task",
        task,
    ]
    jobs = -(-lines // DEFAULT_SHARD_SIZE)
    with running([*command], session.environment(), folder / "submit.log") as child:
        if child.wait(_LIMIT):
            raise StepFailed(f"the producer failed: {child.log_end()}")
    wait_until(lambda: session.succeeded() >= jobs, io, _LIMIT, "the baseline", 0.1)
    first, _ = session.span("batch_id IS NULL", "created_at")
    _, last = session.span("batch_id IS NULL", "finished_at")
    return lines / (last - first)


def _batch(client: Client, folder: Path, lines: int, task: str) -> BatchHandle[Any]:
    """Upload the file, make a batch of it, and wait for its end."""
    file = folder / "requests.jsonl"
    with file.open("wb") as content:
        for number in range(lines):
            body = {"task": task, "input": text(number)}
            line = request_line(f"request-{number}", body)
            content.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    uploaded = client.files.upload(file)
    file.unlink()
    batch = client.batches.create(input_file_id=uploaded.id, endpoint="/v1/jobs")
    return batch.wait(_LIMIT)


def _check(batch: BatchHandle[Any], folder: Path, lines: int) -> None:
    counts = batch.counts
    found = (counts.total, counts.completed, counts.failed)
    if batch.status != "completed" or found != (lines, lines, 0):
        raise StepFailed(f"the batch is {batch.status}, its lines {found}")
    with batch.download(folder / "output.jsonl").open("rb") as output:
        for number, line in enumerate(output):
            if json.loads(line)["custom_id"] != f"request-{number}":
                raise StepFailed(f"line {number} of the output is another's")
    if number + 1 != lines:
        raise StepFailed(f"the output has {number + 1} lines")


@contextmanager
def _served(session: Ours, folder: Path) -> Iterator[tuple[Child, Client]]:
    """An API process and a client of it."""
    port = free_port()
    key = session.store.keys.create(session.settings.default_tenant, "bench")
    argv = api_command(port, LOOPBACK)
    with (
        running(argv, session.environment(), folder / "api.log") as child,
        Client(f"http://{LOOPBACK}:{port}", key) as client,
    ):
        wait_until(lambda: _is_there(port), child, START_SECONDS, "the start", 0.1)
        yield child, client


def _is_there(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 2.0):
        return True
    return False


def measure(lines: int, task: str, *, postgresql: bool) -> tuple[dict[str, Any], Samples]:
    """Run both, one after the other; returns the figures and the memory over time."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batches-")))
        url = stack.enter_context(LazyPostgres()).fresh_database() if postgresql else ""
        session = stack.enter_context(ours(Bench(folder, Path(sys.executable), _LIMIT), url))
        worker = stack.enter_context(session.worker(task)).child
        io = stack.enter_context(
            running(lepton_command("io"), session.environment(), folder / "io.log")
        )
        api, client = stack.enter_context(_served(session, folder))
        broker = stack.enter_context(redis.Redis.from_url(session.settings.redis_url))
        server = int(broker.info("server")["process_id"])
        rate = _baseline(session, io, folder, lines, task)
        print(f"straight: {rate:,.0f} texts/s", flush=True)
        looks: dict[str, Callable[[], float]] = {
            "worker": lambda: memory_of(worker.pid),
            "io worker": lambda: memory_of(io.pid),
            "API": lambda: memory_of(api.pid),
            "Redis": lambda: memory_of(server),
            "Redis, data": lambda: float(broker.info("memory")["used_memory"]),
        }
        spent = io.cpu_seconds()
        with sampled(looks) as samples:
            batch = _batch(client, folder, lines, task)
            spent = io.cpu_seconds() - spent
            _check(batch, folder, lines)
        row = session.store.batches.get(session.settings.default_tenant, batch.id)
        figures = _figures(row, lines, rate, samples)
        return figures | {"task": task, "io_cpu_us_a_line": spent / lines * 1e6}, samples


def _figures(batch: Batch, lines: int, rate: float, samples: Samples) -> dict[str, Any]:
    began, ended = batch.in_progress_at or 0.0, batch.finalizing_at or 0.0
    running_rate = lines / (ended - began)
    whole = lines / ((batch.finished_at or 0.0) - batch.created_at)
    return {
        "lines": lines,
        "straight_texts_a_second": rate,
        "batch_lines_a_second": running_rate,
        "share": running_rate / rate,
        "batch_lines_a_second_with_validation": whole,
        "share_with_validation": whole / rate,
        "validation_seconds": began - batch.created_at,
        "growth_mb": {name: samples.growth(name) for name in samples.points},
        "peak_mb": {name: samples.peak(name) for name in samples.points},
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--task", default="noop")
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--submit", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.submit:
        submit(given.lines, given.task)
        return
    figures, samples = measure(given.lines, given.task, postgresql=given.postgresql)
    print(json.dumps(figures, indent=2))
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "batch.json").write_text(json.dumps(figures, indent=2) + "\n")
    drawn = [Timeline(name, points) for name, points in samples.points.items()]
    title = f"Memory while a batch of {given.lines:,} lines runs"
    (given.out / "batch-memory.svg").write_text(over_time(title, "MB", drawn))


if __name__ == "__main__":
    main()
