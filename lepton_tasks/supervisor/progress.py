"""What a worker tells its supervisor: its exit code, and its progress in a shared file.

The file outlives the worker, whatever ends it. All numbers are native, unsigned, 64 bits:

- byte 0, the count: raised when a micro-batch begins and again when it ends, so it is
  odd while one runs. Whatever stops the worker stops it: a C call that holds the GIL
  too. An idle worker rests on an even number, and so does one that still loads;
- from byte 8, the length of the worker's id and the id;
- at :data:`BEATS_AT`, how often the worker has renewed its lease, and at
  :data:`LOADS_AT` a number that is odd while it loads a model;
- for each of :data:`REGIONS`, from :data:`HEADER_BYTES` on, the inputs that are in work:
  JSON, ``[[job id, place], …]``. Its length, in the header from :data:`LENGTHS_AT` on, is
  written last and is 0 while nothing is in work; :data:`OVERFLOW` says that the inputs
  are too many to tell.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from lepton_tasks.in_work import InWork
from lepton_tasks.supervisor.keeping import Signs

PROGRESS_VARIABLE: Final = "LEPTON_PROGRESS_FILE"
"""Environment variable that names the file to a worker."""
REGIONS: Final = ("device", "encoding", "generating")
"""Where inputs can be in work: in the model, before it, and in a decoder's running batch."""
REGION_BYTES: Final = 256 * 1024
LONGEST_ID: Final = 128
BEATS_AT: Final = 192
LOADS_AT: Final = 200
LENGTHS_AT: Final = 256
HEADER_BYTES: Final = 4096
PROGRESS_BYTES: Final = HEADER_BYTES + REGION_BYTES * len(REGIONS)
"""Size of the file."""
OVERFLOW: Final = 2**64 - 1
DEVICE_FAULT_EXIT: Final = 70
"""Exit code (EX_SOFTWARE) of a worker after a fault of its device's context."""
_LONGEST_STEP = 5.0


@dataclass(frozen=True, slots=True)
class LastWords:
    """Which worker wrote the file, and what it had in work last."""

    worker_id: str
    in_work: InWork


class ProgressReader:
    """The supervisor's side of one worker's file."""

    def __init__(self, path: Path) -> None:
        """Make the file and map it; it is this object's own. Raises OSError."""
        self.path = path
        path.write_bytes(bytes(PROGRESS_BYTES))
        with path.open("rb") as file:
            self._memory = mmap.mmap(file.fileno(), PROGRESS_BYTES, access=mmap.ACCESS_READ)
        self._cells = memoryview(self._memory).cast("Q")

    def reset(self) -> None:
        """Forget what a process that has ended left, so that no later one answers for it.

        One that dies before it opens the file would be taken for it otherwise.
        """
        with self.path.open("r+b") as file:
            file.write(bytes(HEADER_BYTES))

    def count(self) -> int:
        """Return the number as it is now; odd while a micro-batch runs."""
        return self._cells[0]

    def signs(self) -> Signs:
        """Return what the worker shows of itself now."""
        step, loads = self._cells[0], self._cells[LOADS_AT // 8]
        lengths = [self._cells[LENGTHS_AT // 8 + number] for number in range(len(REGIONS))]
        at_work = step % 2 == 1 or loads % 2 == 1 or any(lengths)
        return Signs(self._cells[BEATS_AT // 8], (step, loads, *lengths), at_work)

    def worker_id(self) -> str | None:
        """Return the id of the process that writes; None while it has none."""
        length = self._cells[1]
        if not 0 < length <= LONGEST_ID:
            return None
        return self._memory[16 : 16 + length].decode("ascii", "replace")

    def last_words(self) -> LastWords | None:
        """Return what a process that has ended left; None when it had no id yet."""
        worker_id = self.worker_id()
        if worker_id is None:
            return None
        inputs: list[tuple[str, int]] = []
        for number in range(len(REGIONS)):
            length = self._cells[LENGTHS_AT // 8 + number]
            if length > REGION_BYTES:
                return LastWords(worker_id, InWork.all_of_it())
            if length:
                start = HEADER_BYTES + number * REGION_BYTES
                inputs += orjson.loads(self._memory[start : start + length])
        return LastWords(worker_id, InWork.of(inputs))


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
