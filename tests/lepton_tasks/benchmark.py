"""Submitting against Celery's own sending: ``python -m tests.lepton_tasks.benchmark [postgresql]``.

One process, one Redis. Callers are threads that send one job after the other:
``send_task`` puts a message into Redis; ``Producer.submit`` returns once the job is
committed and published. Both take turns in one run, beside the time that the disk
takes to make 4 KiB durable; medians of the rounds are printed, SQLite unless told
otherwise. Last, ``Producer.submit_many`` from one thread, a thousand jobs a transaction,
with the CPU time that a job took in this process.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import redis
from celery import Celery

from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.producer import Producer
from lepton_tasks.requests import JobRequest
from lepton_tasks.settings import Settings
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import upgrade_schema
from lepton_tasks.store.store import Store
from tests.support.postgres import TestPostgres

ROUNDS = 3
SECONDS = 3.0
CALLERS = (1, 8, 64)
MANY = 50_000
TEXT = "这家店的服务真好, thank you"


def rate(call: Callable[[], object], callers: int) -> float:
    """Calls per second of that many threads."""
    start = threading.Barrier(callers + 1)
    counts = [0] * callers

    def work(place: int) -> None:
        start.wait()
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            call()
            counts[place] += 1

    threads = [threading.Thread(target=work, args=(place,)) for place in range(callers)]
    for thread in threads:
        thread.start()
    start.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - begun)


def many(producer: Producer) -> tuple[float, float]:
    """Jobs per second submitted by the thousand, and microseconds of CPU a job."""
    requests = (JobRequest("moderation", f"{TEXT} {number}") for number in range(MANY))
    begun, cpu = time.perf_counter(), time.process_time()
    for _ in producer.submit_many(requests):
        pass
    seconds = time.perf_counter() - begun
    return MANY / seconds, (time.process_time() - cpu) / MANY * 1e6


def commit_ms(folder: Path) -> float:
    """Median milliseconds to append 4 KiB and make them durable."""
    times = []
    with (folder / "commits").open("wb", buffering=0) as file:
        for _ in range(100):
            file.write(b"x" * 4096)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def measure(url: str, folder: Path) -> dict[str, list[float]]:
    """All figures by name, one a round."""
    figures: defaultdict[str, list[float]] = defaultdict(list)
    database = Database(url)
    upgrade_schema(database)
    with EmbeddedRedis(folder) as server, redis.Redis.from_url(server.url) as client:
        settings = Settings(home=folder, redis_url=server.url, publish_window=1_000_000)
        app = Celery(broker=server.url, set_as_current=False)
        with Producer(settings, Store(database)) as producer:
            sides: dict[str, Callable[[], object]] = {
                "send_task": lambda: app.send_task(
                    "lepton.moderation", args=[TEXT], queue="celery", ignore_result=True
                ),
                "submit": lambda: producer.submit("moderation", TEXT),
            }
            for _ in range(ROUNDS):
                for callers in CALLERS:
                    figures["commit, ms"].append(commit_ms(folder))
                    for side, call in sides.items():
                        client.flushdb()
                        figures[f"{side}/s, {callers} callers"].append(rate(call, callers))
                client.flushdb()
                jobs_a_second, cpu = many(producer)
                figures["submit_many/s"].append(jobs_a_second)
                figures["submit_many, CPU µs"].append(cpu)
    database.close()
    return figures


def main() -> None:
    """Run all rounds and print one line a figure."""
    folder = Path(tempfile.mkdtemp())
    server = TestPostgres() if "postgresql" in sys.argv[1:] else None
    url = f"sqlite:///{folder / 'store.db'}" if server is None else server.fresh_database()
    for name, values in measure(url, folder).items():
        rounds = ", ".join(f"{value:,.1f}" for value in values)
        sys.stdout.write(f"{name:24}{statistics.median(values):>10,.1f}   ({rounds})\n")
    if server is not None:
        server.stop()


if __name__ == "__main__":
    main()
