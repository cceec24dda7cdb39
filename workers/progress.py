"""The progress of a worker, told to a supervisor that may have to kill it or finds it dead."""

from __future__ import annotations

import mmap
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import orjson

from lepton_tasks.supervisor.progress import (
    BEATS_AT,
    HEADER_BYTES,
    LENGTHS_AT,
    LOADS_AT,
    LONGEST_ID,
    OVERFLOW,
    PROGRESS_BYTES,
    PROGRESS_VARIABLE,
    REGION_BYTES,
    REGIONS,
)
from workers.turns import Turns


class Region:
    """The inputs that one thread has in work. That thread alone writes.

    What is held stays named when the process ends, so it is cleared only when the work
    has gone well or its error is survived.
    """

    def __init__(self, memory: mmap.mmap, number: int) -> None:
        """``number`` is its place among :data:`REGIONS`; nothing is in work."""
        self._memory = memory
        self._start = HEADER_BYTES + number * REGION_BYTES
        self._length = memoryview(memory).cast("Q")[LENGTHS_AT // 8 + number :]
        self._length[0] = 0

    def hold(self, inputs: Iterable[tuple[str, int]]) -> None:
        """Say that exactly these inputs, as (job id, place), are in work from now on."""
        text = orjson.dumps(list(inputs))
        self._length[0] = 0  # a half-written text must never count
        if len(text) > REGION_BYTES:
            self._length[0] = OVERFLOW
        else:
            self._memory[self._start : self._start + len(text)] = text
            self._length[0] = len(text)

    def clear(self) -> None:
        """Say that nothing is in work."""
        self._length[0] = 0


class SharedRegion:
    """A region that several threads write, each its own share of it."""

    def __init__(self, region: Region) -> None:
        """``region`` is nobody else's."""
        self._region = region
        self._shares: dict[Share, Sequence[tuple[str, int]]] = {}
        self._lock = threading.Lock()

    def share(self) -> Share:
        """Return the share of one thread; nothing of it is in work."""
        return Share(self)

    def _set(self, share: Share, inputs: Sequence[tuple[str, int]]) -> None:
        with self._lock:
            if inputs:
                self._shares[share] = inputs
            elif self._shares.pop(share, None) is None:
                return
            if self._shares:
                self._region.hold(chain.from_iterable(self._shares.values()))
            else:
                self._region.clear()


class Share:
    """The part of a :class:`SharedRegion` that one thread writes; used like a region."""

    def __init__(self, region: SharedRegion) -> None:
        self._region = region

    def hold(self, inputs: Iterable[tuple[str, int]]) -> None:
        """Say that exactly these inputs are in work here from now on."""
        self._region._set(self, list(inputs))

    def clear(self) -> None:
        """Say that nothing is in work here."""
        self._region._set(self, ())


class Progress:
    """The worker's side of :mod:`lepton_tasks.supervisor.progress`.

    Threads that compute take turns on the device, so one micro-batch runs at a time.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        """``memory`` may hold what an earlier process left; this one is idle and has no id."""
        self._memory = memory
        self._cells = memoryview(memory).cast("Q")
        self._cells[0] = self._cells[1] = 0
        self._cells[BEATS_AT // 8] = self._cells[LOADS_AT // 8] = 0
        self._began: float | None = None
        self._turns = Turns()
        self.device, self.encoding, generating = (
            Region(memory, number) for number in range(len(REGIONS))
        )
        self.generating = SharedRegion(generating)

    def name(self, worker_id: str) -> None:
        """Say which worker this process is, before it takes its lease.

        Raises:
            ValueError: the id is too long.
        """
        text = worker_id.encode("ascii")
        if len(text) > LONGEST_ID:
            raise ValueError(f"a worker's id has at most {LONGEST_ID} characters")
        self._memory[16 : 16 + len(text)] = text
        self._cells[1] = len(text)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Wait for a turn; say that one micro-batch runs inside the block, and then its end."""
        with self._turns.take():
            self._began = time.monotonic()
            self._cells[0] += 1
            try:
                yield
            finally:
                self._cells[0] += 1
                self._began = None

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Say that a model is loaded inside the block; by one thread at a time."""
        self._cells[LOADS_AT // 8] += 1
        try:
            yield
        finally:
            self._cells[LOADS_AT // 8] += 1

    def busy_seconds(self) -> float:
        """For how long the micro-batch that runs has been running; 0 while none does."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def beat(self) -> None:
        """Say that the lease was renewed."""
        self._cells[BEATS_AT // 8] += 1


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
