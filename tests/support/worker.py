"""A real Celery worker process for the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lepton_tasks.embedded.commands import worker_command
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store

START_SECONDS = 150.0


class WorkerProcess:
    """``celery -A workers.app worker`` on the settings under test; killed at the end."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        log: Path,
        name: str = "w1",
        tasks: Sequence[str] = ("moderation",),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare a worker for ``tasks``; ``environment`` holds further variables for it."""
        self.node = f"{name}@test"
        self._settings = settings
        self._store = store
        self._tasks = tasks
        self._environment = environment or {}
        self.log = log

    def start(self) -> Self:
        """Start the process and wait until it holds its lease."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                worker_command(self._tasks, self.node),
                env={**os.environ, **self._settings.environment(), **self._environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        end = time.monotonic() + START_SECONDS
        while not any(worker.hostname == self.node for worker in self._store.leases.alive()):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the worker did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.1)
        return self

    def kill(self) -> None:
        """SIGKILL, as the kernel's out-of-memory killer would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self, timeout: float = 60.0) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.process.wait(timeout)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.kill()
