"""Runs with one safeguard taken out of the workers, and the same runs with it: what it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.chaos.faults import LoseRedis, StopWorker
from tests.chaos.load import Load
from tests.chaos.poison import poisoned, wrong_ends
from tests.chaos.rig import Setup, running

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
    # Two slots, and work that keeps both busy: one is stopped in the middle of it.
    setup = Setup(lease=2.0, item_seconds=0.05, mutation=safeguard)
    with running(database_url, folder, setup) as rig:
        load = Load(rig)
        load.submit(120)
        StopWorker().inject(rig)
        rig.drain()
        # The late result is written, or refused: it is heard of in either case.
        rig.until(lambda: bool(rig.refused_writes() or rig.verdict().faults()), "it never woke up")
        return rig.verdict().faults()


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


_RUNS: Final = {"fence": _fence, "epoch": _epoch, "suspect": _suspect}
