"""What ails a running worker process: a hung micro-batch, or too much memory.

Its lease is renewed here where it is at work and cannot do so itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lepton_tasks.launcher.child import Ailment
from lepton_tasks.supervisor.keeping import LeaseKeeper
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

    def __init__(
        self,
        pid: int,
        progress: ProgressReader,
        limits: Limits,
        lease_seconds: float = 0.0,
        keep: Callable[[str], None] = lambda worker_id: None,
    ) -> None:
        """``progress`` is the file that process ``pid`` writes.

        ``keep`` renews the lease of a worker by its id; it lasts ``lease_seconds``.
        """
        self._keeper = LeaseKeeper(lease_seconds, limits.hung_seconds)
        self._keep = keep
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
        self._keep_lease(now)
        used, most = resident_bytes(self._pid), self._limits.memory_bytes
        if most and used > most:
            return Ailment(
                f"used {used // MEGABYTE} MB of memory, more than {most // MEGABYTE} MB "
                "(--max-memory-mb)"
            )
        return None

    def _keep_lease(self, now: float) -> None:
        worker_id = self._progress.worker_id()
        if (
            worker_id is not None
            and self._keeper.is_due(self._progress.signs(), now)
            and not is_stopped(self._pid)
        ):
            self._keep(worker_id)


def is_stopped(pid: int) -> bool:
    """Return whether a process has been stopped by a signal; see proc_pid_stat(5).

    >>> is_stopped(os.getpid())
    False
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] in "Tt"


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
