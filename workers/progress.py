"""The progress of a worker, told to a supervisor that may have to kill it."""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lepton_tasks.supervisor.progress import PROGRESS_BYTES, PROGRESS_VARIABLE


class Progress:
    """The worker's side of :mod:`lepton_tasks.supervisor.progress`.

    Where several threads compute, the number moves whenever one of them begins or ends,
    and it is odd while any of them computes.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        """``memory`` may hold what an earlier process left; this one is idle."""
        self._cells = memoryview(memory).cast("Q")
        self._cells[0] = 0
        self._busy = 0
        self._lock = threading.Lock()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Say that one micro-batch runs inside the block, and that it has ended after it."""
        self._move(1)
        try:
            yield
        finally:
            self._move(-1)

    def _move(self, change: int) -> None:
        with self._lock:
            before, self._busy = self._busy, self._busy + change
            # Odd where any computes; a change that keeps it so moves it by two.
            self._cells[0] += 1 if (before == 0) != (self._busy == 0) else 2


def open_progress() -> Progress:
    """Map the file that the supervisor names in the environment; without one, nobody reads.

    Raises:
        OSError: the file is not there.
    """
    path = os.environ.get(PROGRESS_VARIABLE)
    if path is None:
        return Progress(mmap.mmap(-1, PROGRESS_BYTES))
    with Path(path).open("r+b") as file:
        return Progress(mmap.mmap(file.fileno(), PROGRESS_BYTES))
