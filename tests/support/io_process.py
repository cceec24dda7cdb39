"""``lepton io`` as a process of its own, for the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lepton_tasks.settings import Settings


@contextmanager
def io_process(settings: Settings, log: Path) -> Iterator[subprocess.Popen[str]]:
    """Run one while the block runs; it is ready when the block begins, and killed at its end."""
    with (
        log.open("a") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "lepton_tasks", "io"],
            env={**os.environ, **settings.environment()},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "io worker ready\n", log.read_text()[-4000:]
            yield process
        finally:
            process.send_signal(signal.SIGKILL)
