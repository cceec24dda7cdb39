"""What a worker tells its supervisor: its exit code, and its progress in a shared file.

The file holds one native unsigned 64-bit number. The worker raises it when a
micro-batch begins and again when it ends, so it is odd while one runs. Whatever
stops the worker stops the number: a C call that holds the GIL too. An idle worker
rests on an even number, and so does one that still loads its models.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Final

PROGRESS_VARIABLE: Final = "LEPTON_PROGRESS_FILE"
"""Environment variable that names the file to a worker."""
PROGRESS_BYTES: Final = 8
"""Size of the file."""
DEVICE_FAULT_EXIT: Final = 70
"""Exit code (EX_SOFTWARE) of a worker after a fault of its device's context."""
_LONGEST_STEP = 5.0


class ProgressReader:
    """The supervisor's side of one worker's file."""

    def __init__(self, path: Path) -> None:
        """Make the file and map it; it is this object's own. Raises OSError."""
        self.path = path
        path.write_bytes(bytes(PROGRESS_BYTES))
        with path.open("rb") as file:
            memory = mmap.mmap(file.fileno(), PROGRESS_BYTES, access=mmap.ACCESS_READ)
        self._cells = memoryview(memory).cast("Q")

    def count(self) -> int:
        """Return the number as it is now; odd while a micro-batch runs."""
        return self._cells[0]


class StuckClock:
    """How long one and the same micro-batch has been seen running. Pure; times in seconds."""

    def __init__(self) -> None:
        """Nothing has been seen."""
        self._count = 0
        self._seen_at = 0.0
        self._stuck = 0.0

    def seconds(self, count: int, now: float) -> float:
        """Return for how long ``count`` has been this odd number, by a monotonic clock.

        A pause between two looks counts for a few seconds at most: when this process
        did not run for long (a frozen container, a busy machine), the worker may not
        have run either.

        >>> clock = StuckClock()
        >>> [clock.seconds(count, now) for count, now in ((7, 50), (7, 51), (7, 53), (8, 54))]
        [0.0, 1.0, 3.0, 0.0]
        >>> [clock.seconds(9, now) for now in (55, 3600)]
        [0.0, 5.0]
        """
        if count != self._count or count % 2 == 0:
            self._stuck = 0.0
        else:
            self._stuck += min(now - self._seen_at, _LONGEST_STEP)
        self._count = count
        self._seen_at = now
        return self._stuck
