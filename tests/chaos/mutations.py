"""Runs with one safeguard taken out of the workers, and the same runs with it: what it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.chaos.faults import LoseRedis, asleep
from tests.chaos.load import Load
from tests.chaos.poison import poisoned, wrong_ends
from tests.chaos.rig import Rig, Setup, happens, running

WHAT: Final = {
    "fence": "a stopped worker wakes up when its jobs are another's",
    "epoch": "Redis loses the queues before a worker has fetched from them",
    "suspect": "an input kills the worker that computes it with others",
}
"""What happens in the run of each safeguard."""


def without(safeguard: str | None, run: str, database_url: str, folder: Path) -> dict[str, int]:
    """Do the run named after a safeguard, with or without it; returns the faults it finds."""
    return _RUNS[run](safeguard, database_url, folder)


def _fence(safeguard: str | None, database_url: str, folder: Path) -> dict[str, int]:
    # Work that keeps both slots busy: one is stopped in the middle of it, until the other
    # has done all. A worker that held a lock of the database then is let go and tried again.
    # A worker that wakes drops what it has lost, if it comes to that before it writes; these
    # do not, so that the fence alone stands between them and the row.
    setup = Setup(item_seconds=0.05, mutation=safeguard, oblivious=True)
    with running(database_url, folder, setup) as rig:
        load = Load(rig)
        for _ in range(_TRIES):
            load.submit(120)
            with asleep(rig, "stopped"):
                happens(lambda: rig.history.open_jobs() == 0, _ASLEEP_SECONDS)
            rig.drain()
            if happens(lambda: _wrote_late(rig), _LATE_SECONDS):
                return rig.verdict().faults()
        raise AssertionError("no worker ever wrote late")


def _wrote_late(rig: Rig) -> bool:
    """Whether a worker tried to write over another's answer, and was refused or was not."""
    return bool(rig.refused_writes() or "written twice" in rig.verdict().faults())


def _epoch(safeguard: str | None, database_url: str, folder: Path) -> dict[str, int]:
    with running(database_url, folder, Setup(slots=1, mutation=safeguard), start=False) as rig:
        load = Load(rig)
        load.submit(50)
        LoseRedis().inject(rig)
        rig.start_workers()
        rig.ready()
        # What comes after the loss is done; what was before it is, or it never will be.
        later = Load(rig, first=1000)
        later.submit(50)
        rig.until(lambda: rig.history.count_endings() >= 50, "nothing was done")
        if safeguard is None:
            rig.drain()
        return rig.verdict().faults()


def _suspect(safeguard: str | None, database_url: str, folder: Path) -> dict[str, int]:
    every = 40
    with running(database_url, folder, Setup(slots=1, mutation=safeguard)) as rig:
        load = Load(rig, lambda number: poisoned(number, every))
        load.submit(every)
        rig.drain()
        return wrong_ends(rig, load, every)


_TRIES: Final = 5
_ASLEEP_SECONDS: Final = 40.0
_LATE_SECONDS: Final = 10.0
_RUNS: Final = {"fence": _fence, "epoch": _epoch, "suspect": _suspect}
