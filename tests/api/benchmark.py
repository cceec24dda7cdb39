"""Submits a second over HTTP: ``python -m tests.api.benchmark [postgresql]``.

One API process, and callers on the same machine that keep their connection and send
one job after the other. Each submit is committed before it is answered. SQLite unless
told otherwise; medians of the rounds are printed.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.launcher.ports import free_port
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import upgrade_schema
from lepton_tasks.store.store import Store
from tests.support.postgres import TestPostgres

ROUNDS = 3
SECONDS = 3.0
CALLERS = (1, 8, 64)
BODY = json.dumps({"task": "moderation", "input": "这家店的服务真好, thank you"}).encode()


async def caller(port: int, request: bytes, end: float) -> int:
    """Send the request again and again; returns how often it was accepted."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.perf_counter() < end:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 202 "):
            raise RuntimeError(head.decode())
        _, _, length = head.partition(b"content-length:")
        await reader.readexactly(int(length.split(b"\r\n", 1)[0]))
        count += 1
    writer.close()
    return count


async def rate(port: int, key: str, callers: int) -> float:
    """Accepted submits per second of that many callers."""
    head = (
        f"POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n"
    )
    begun = time.perf_counter()
    calls = (caller(port, head.encode() + BODY, begun + SECONDS) for _ in range(callers))
    return sum(await asyncio.gather(*calls)) / (time.perf_counter() - begun)


def serve(url: str, redis_url: str, folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start the API and wait until it answers."""
    environment = os.environ | {
        "LEPTON_HOME": str(folder),
        "LEPTON_DATABASE_URL": url,
        "LEPTON_REDIS_URL": redis_url,
        "LEPTON_LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "api", "--port", str(port)]
    process = subprocess.Popen(command, env=environment)
    while process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz"):
            return process
        time.sleep(0.1)
    raise RuntimeError("the API did not start")


def main() -> None:
    """Run all rounds and print one line a figure."""
    folder = Path(tempfile.mkdtemp())
    server = TestPostgres() if "postgresql" in sys.argv[1:] else None
    url = f"sqlite:///{folder / 'store.db'}" if server is None else server.fresh_database()
    database = Database(url)
    upgrade_schema(database)
    key = Store(database).keys.create("acme", "benchmark")
    port = free_port()
    figures: dict[int, list[float]] = {callers: [] for callers in CALLERS}
    with EmbeddedRedis(folder) as broker, serve(url, broker.url, folder, port) as process:
        for _ in range(ROUNDS):
            for callers, rates in figures.items():
                rates.append(asyncio.run(rate(port, key, callers)))
        process.terminate()
    for callers, rates in figures.items():
        rounds = ", ".join(f"{value:,.0f}" for value in rates)
        median = statistics.median(rates)
        sys.stdout.write(f"submits/s, {callers:2} callers {median:>8,.0f}   ({rounds})\n")
    if server is not None:
        server.stop()


if __name__ == "__main__":
    main()
