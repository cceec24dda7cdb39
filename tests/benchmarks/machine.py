"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from lepton_tasks.embedded.redis_binary import find_redis_server, server_version
from tests.benchmarks.children import ROOT

_OURS = ("lepton-tasks", "celery", "kombu", "redis", "sqlalchemy", "torch", "transformers")
_PEERS = ("celery", "kombu", "celery-batches", "dramatiq", "huey", "mosec", "redis", "torch")
_VERSIONS = "from importlib import metadata as m\nfor n in {names!r}:\n try: print(n, m.version(n))\n except m.PackageNotFoundError: print(n, 'not installed')"  # noqa: E501


def facts(folder: Path, peers_python: Path) -> dict[str, Any]:
    """Processor, memory, file system of ``folder``, versions, commit and load, as JSON values."""
    redis_version = server_version(find_redis_server())
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": _git("rev-parse", "--short=12", "HEAD") or "unknown",
        "changed": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "cpu": cpu_model(_read("/proc/cpuinfo")) or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "redis": ".".join(map(str, redis_version or ())),
        "filesystem": _filesystem(folder),
        "packages": {name: metadata.version(name) for name in _OURS},
        "peers": _peer_versions(peers_python),
    }


def cpu_model(cpuinfo: str) -> str:
    r"""Read the processor's name out of ``/proc/cpuinfo``; empty where it is not there.

    >>> cpu_model("processor : 0\nmodel name : AMD EPYC\nflags : fpu\n")
    'AMD EPYC'
    """
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return ""


def _read(path: str) -> str:
    file = Path(path)
    return file.read_text() if file.exists() else ""


def _git(*arguments: str) -> str:
    return _output(["git", "-C", str(ROOT), *arguments])


def _peer_versions(python: Path) -> dict[str, str]:
    shown = _output([str(python), "-c", _VERSIONS.format(names=_PEERS)])
    return dict(line.split(" ", 1) for line in shown.splitlines())


def _output(command: Sequence[str]) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _filesystem(folder: Path) -> str:
    mounts = [
        partition
        for partition in psutil.disk_partitions(all=True)
        if folder.is_relative_to(partition.mountpoint)
    ]
    return max(mounts, key=lambda one: len(one.mountpoint)).fstype if mounts else "unknown"
