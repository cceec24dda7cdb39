"""``lepton worker`` as a process of the tests."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from lepton_tasks.embedded.commands import lepton_command
from lepton_tasks.settings import Settings

WAIT = 90.0


class LeptonWorker:
    """``lepton worker`` on CPU slots; whatever is left of it is killed at the end."""

    def __init__(
        self,
        settings: Settings,
        log: Path,
        slots: int = 1,
        task: str = "moderation",
        name: str = "test",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                lepton_command(
                    *("worker", "--tasks", task, "--name", f"{name}@%h"),
                    *("--devices", "cpu", "--per-device", str(slots)),
                ),
                env={
                    **os.environ,
                    **settings.environment(),
                    "LEPTON_TUNE": "false",
                    **(environment or {}),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def said(self, text: str) -> bool:
        return text in self.log.read_text()

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT
        while not condition():
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            assert time.monotonic() < end, self.log.read_text()[-4000:]
            time.sleep(0.02)

    def children(self) -> list[psutil.Process]:
        """The worker processes, in the order of their numbers."""
        found = psutil.Process(self.process.pid).children()
        return sorted(found, key=lambda child: child.cmdline()[child.cmdline().index("-n") + 1])

    def kill(self) -> None:
        """End it and its workers, which are tethered to it."""
        self.process.kill()
        self.process.wait()
