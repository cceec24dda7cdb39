"""The progress of a worker, told to a supervisor that may have to kill it."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lepton_tasks.supervisor.progress import PROGRESS_BYTES, PROGRESS_VARIABLE


class Progress:
    """The worker's side of :mod:`lepton_tasks.supervisor.progress`. One thread writes."""

    def __init__(self, memory: mmap.mmap) -> None:
        """``memory`` may hold what an earlier process left; this one is idle."""
        self._cells = memoryview(memory).cast("Q")
        self._cells[0] = 0

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Say that one micro-batch runs inside the block, and that it has ended after it."""
        self._cells[0] += 1
        try:
            yield
        finally:
            self._cells[0] += 1


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
