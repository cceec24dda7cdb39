"""What ails a running worker process: a hung micro-batch, or too much memory."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from lepton_tasks.launcher.child import Ailment
from lepton_tasks.supervisor.progress import ProgressReader, StuckClock

_LOOK_SECONDS = 0.25
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker may take: seconds for one micro-batch, bytes of memory (0 for any)."""

    hung_seconds: float
    memory_bytes: int


class WorkerWatch:
    """Looks at one worker process, a few times a second however often it is asked."""

    def __init__(self, pid: int, progress: ProgressReader, limits: Limits) -> None:
        """``progress`` is the file that process ``pid`` writes."""
        self._pid = pid
        self._progress = progress
        self._limits = limits
        self._clock = StuckClock()
        self._next_look = 0.0

    def __call__(self) -> Ailment | None:
        """Return why the process must be replaced, None while all is well.

        One that hangs in a forward pass would not heed SIGTERM, so it is to be killed;
        one that has grown too large finishes what it runs.
        """
        now = time.monotonic()
        if now < self._next_look:
            return None
        self._next_look = now + _LOOK_SECONDS
        stuck = self._clock.seconds(self._progress.count(), now)
        if stuck > self._limits.hung_seconds:
            return Ailment(
                f"ran one micro-batch for over {self._limits.hung_seconds:g} s "
                "(LEPTON_HUNG_SECONDS)",
                kill=True,
            )
        used, most = resident_bytes(self._pid), self._limits.memory_bytes
        if most and used > most:
            return Ailment(
                f"used {used // MEGABYTE} MB of memory, more than {most // MEGABYTE} MB "
                "(--max-memory-mb)"
            )
        return None


def resident_bytes(pid: int) -> int:
    """Return the memory of a process that is in RAM; 0 when it is gone. See proc_pid_statm(5).

    >>> resident_bytes(os.getpid()) > MEGABYTE
    True
    """
    try:
        pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
