"""Our transport against kombu's own: ``python -m tests.lepton_tasks.transport.benchmark``.

One consumer on kombu's event loop, as a Celery worker has it: messages per second
fetched, delivered and acknowledged from a backlog, and the time from publishing a
single message to its delivery on an idle queue. Both transports take turns in one
run; medians of the rounds are printed.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import redis
from kombu import Connection
from kombu.asynchronous import Hub

from lepton_tasks.broker.messages import thin_message
from lepton_tasks.embedded.redis import EmbeddedRedis
from tests.support.consuming import bulk, default_queue, publish, stock

ROUNDS = 3
BACKLOG = 20_000
SINGLES = 300
GAP_SECONDS = 0.02
QUEUES = [f"moderation.{priority}" for priority in ("high", "normal", "bulk")]
SIDES = {"stock": stock, "ours": bulk}


def consume(connection: Connection, count: int, times: list[float]) -> float:
    """Consume and acknowledge ``count`` messages; seconds until the last is acknowledged."""
    hub = Hub()
    connection.register_with_event_loop(hub)
    left = count

    def take(message: Any) -> None:
        nonlocal left
        if message.headers.get("lang") is None:
            times.append(time.time() - float(message.payload))
        hub.call_soon(message.ack)
        left -= 1

    consumer = connection.Consumer(
        [default_queue(name) for name in QUEUES],
        on_message=take,
        accept=["json"],
        prefetch_count=128,
    )
    loop = hub.create_loop()
    start = time.perf_counter()
    with consumer:
        while left:
            next(loop)
        next(loop)
    return time.perf_counter() - start


def throughput(url: str, side: str) -> float:
    """Messages per second from a backlog of thin messages on the normal queue."""
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        for first in range(0, BACKLOG, 1000):
            batch = (thin_message(f"job_{first + n}", "moderation", "normal") for n in range(1000))
            client.lpush(QUEUES[1], *batch)
    with SIDES[side](url) as connection:
        seconds = consume(connection, BACKLOG, [])
    with redis.Redis.from_url(url) as client:
        left = client.keys()
    if left:
        raise RuntimeError(f"{side} left {left}")
    return BACKLOG / seconds


def publish_singles(url: str) -> None:
    """Publish the time, again and again, on a queue that is idle meanwhile."""
    with stock(url) as connection:
        time.sleep(0.5)
        for _ in range(SINGLES):
            time.sleep(GAP_SECONDS)
            publish(connection, QUEUES[1], str(time.time()))


def latencies(url: str, side: str) -> list[float]:
    """Seconds from publishing to delivery, sorted."""
    sender = multiprocessing.get_context("spawn").Process(target=publish_singles, args=(url,))
    sender.start()
    times: list[float] = []
    with SIDES[side](url) as connection:
        consume(connection, SINGLES, times)
    sender.join()
    return sorted(times)


def main() -> None:
    """Run all rounds and print one line a figure."""
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    halves: dict[str, list[float]] = {side: [] for side in SIDES}
    tails: dict[str, list[float]] = {side: [] for side in SIDES}
    with EmbeddedRedis(Path(tempfile.mkdtemp())) as server:
        for _ in range(ROUNDS):
            for side in SIDES:
                rates[side].append(throughput(server.url, side))
            for side in SIDES:
                times = latencies(server.url, side)
                halves[side].append(times[len(times) // 2] * 1e6)
                tails[side].append(times[len(times) * 95 // 100] * 1e6)
    for name, figures in (("messages/s", rates), ("p50 µs", halves), ("p95 µs", tails)):
        for side, values in figures.items():
            rounds = ", ".join(f"{value:,.0f}" for value in values)
            median = statistics.median(values)
            sys.stdout.write(f"{name:12}{side:8}{median:>10,.0f}   ({rounds})\n")


if __name__ == "__main__":
    main()
