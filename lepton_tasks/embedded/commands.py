"""Command lines of the services, for whoever starts them as child processes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from lepton_tasks.queues import Priority, queue_name

WORKER_ENVIRONMENT: Final = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(4 * 1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": str(16 * 1024 * 1024),
}
"""glibc settings that keep a worker's memory flat; the shapes of micro-batches differ, and
without these the heap fragments for hours (docs/adr/0004-flat-worker-memory.md)."""


def worker_command(tasks: Sequence[str], node: str, log_level: str = "INFO") -> list[str]:
    """Run a model worker for ``tasks``; ``node`` is its unique Celery node name.

    >>> worker_command(["moderation"], "gpu0@%h")[3:9]
    ['-A', 'workers.app', 'worker', '--pool', 'solo', '-Q']
    >>> worker_command(["moderation"], "gpu0@%h")[9]
    'moderation.high,moderation.normal,moderation.bulk'
    """
    queues = [queue_name(task, priority) for priority in Priority for task in tasks]
    return [
        *_celery("workers.app"),
        "worker",
        *("--pool", "solo"),
        *("-Q", ",".join(queues)),
        *("-n", node),
        *("--loglevel", log_level),
        "--without-mingle",
        "--without-gossip",
    ]


def flower_command(port: int, address: str) -> list[str]:
    """Run Flower; its login travels in ``FLOWER_BASIC_AUTH``."""
    return [
        *_celery("lepton_tasks.celery.monitor"),
        "flower",
        f"--address={address}",
        f"--port={port}",
    ]


def api_command(port: int, address: str) -> list[str]:
    """Run the HTTP API."""
    return [sys.executable, "-m", "api", "--host", address, "--port", str(port)]


def lepton_command(*arguments: str) -> list[str]:
    """Run this command line tool."""
    return [sys.executable, "-m", "lepton_tasks", *arguments]


def _celery(app: str) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", app]
