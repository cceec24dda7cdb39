"""Child processes that never outlive a measurement, and what they cost."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from lepton_tasks.launcher.tether import tethered

ROOT = Path(__file__).parents[2]
"""The repository: children run here, so that ``tests`` and ``workers`` can be imported."""
_TAIL = 1200


class StepFailed(Exception):
    """A measurement could not be made; the message is the reason for the page."""


class Child:
    """A running process with its descendants; it dies with this one, even by SIGKILL."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        """Start ``argv`` in the repository's root. ``env`` is added to this environment."""
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                tethered(argv),
                cwd=ROOT,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started_at = time.time()
        self.pid = self._process.pid

    def require_alive(self) -> None:
        """Raise StepFailed with the end of its log if the process has ended."""
        if self._process.poll() is not None:
            raise StepFailed(
                f"the process ended with exit code {self._process.returncode}: {self.log_end()}"
            )

    def wait(self, limit: float) -> int:
        """Wait for its end and return the exit code; StepFailed after ``limit`` seconds."""
        try:
            return self._process.wait(limit)
        except subprocess.TimeoutExpired:
            raise StepFailed(f"not done after {limit:.0f} s: {self.log_end()}") from None

    def cpu_seconds(self) -> float:
        """User and system time of the process and its living descendants."""
        return sum(_cpu(process) for process in self._family())

    def resident(self) -> int:
        """Resident bytes of the process and its descendants."""
        return sum(_resident(process) for process in self._family())

    def log_end(self) -> str:
        """The last of what it wrote, on one line."""
        text = self._log.read_text(errors="replace")[-_TAIL:] if self._log.exists() else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " / ".join(lines[-4:]) or "it wrote nothing"

    def end(self, grace: float) -> None:
        """Ask the process to end (SIGTERM) and wait at most ``grace`` seconds for it."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace)

    def kill(self) -> None:
        """Kill the process, its group and its descendants, and wait for it."""
        family = self._family()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._process.wait()

    def _family(self) -> list[psutil.Process]:
        try:
            own = psutil.Process(self.pid)
            return [own, *own.children(recursive=True)]
        except psutil.Error:
            return []


@contextmanager
def running(argv: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[Child]:
    """Run a child inside the block; it is dead after it."""
    child = Child(argv, env, log)
    try:
        yield child
    finally:
        child.kill()


def answer(argv: Sequence[str], env: Mapping[str, str], log: Path, limit: float) -> Any:
    """Run ``argv`` to its end and return the last JSON object that it printed on a line.

    Raises:
        StepFailed: it failed, took over ``limit`` seconds, or printed none.
    """
    with running(argv, env, log) as child:
        code = child.wait(limit)
    if code:
        raise StepFailed(f"exit code {code}: {child.log_end()}")
    for line in reversed(log.read_text(errors="replace").splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    raise StepFailed(f"no answer came back: {child.log_end()}")


def wait_until(
    condition: Callable[[], bool], child: Child, limit: float, what: str, every: float = 0.02
) -> float:
    """Wait until ``condition`` holds; returns the clock (``time.time``) when it was seen.

    Raises:
        StepFailed: ``child`` ended first, or it took over ``limit`` seconds.
    """
    end = time.monotonic() + limit
    while not condition():
        child.require_alive()
        if time.monotonic() > end:
            raise StepFailed(f"{what}: not within {limit:.0f} s: {child.log_end()}")
        time.sleep(every)
    return time.time()


@contextmanager
def peak(sizes: Mapping[str, Callable[[], int]], every: float = 0.2) -> Iterator[dict[str, int]]:
    """Sample sizes inside the block; the yielded mapping holds the largest seen of each."""
    most = {name: look() for name, look in sizes.items()}
    done = threading.Event()

    def sample() -> None:
        while not done.wait(every):
            for name, look in sizes.items():
                most[name] = max(most[name], look())

    thread = threading.Thread(target=sample, name="sampler", daemon=True)
    thread.start()
    try:
        yield most
    finally:
        done.set()
        thread.join()


def resident_of(pid: int) -> int:
    """Resident bytes of one process; 0 where it is gone."""
    try:
        return _resident(psutil.Process(pid))
    except psutil.Error:
        return 0


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
