"""Runs under load: faults one after another, and what is left of the work at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.chaos.checker import Verdict
from tests.chaos.faults import (
    CutClients,
    Fault,
    KillWorker,
    LoseRedis,
    PauseRedis,
    StopRedis,
    StopWorker,
)
from tests.chaos.load import Load
from tests.chaos.rig import Rig, Setup, running
from tests.support.postgres import TestPostgres

Say = Callable[[str], None]
_GOOD: Final = {"succeeded"}


def mixed(faults: Sequence[tuple[Fault, int]]) -> list[Fault]:
    """Spread faults over one another, each so many times.

    >>> kill, lose = KillWorker(), LoseRedis()
    >>> [fault.name for fault in mixed([(kill, 4), (lose, 2)])]  # doctest: +NORMALIZE_WHITESPACE
    ['worker SIGKILL', 'Redis SIGKILL, back empty', 'worker SIGKILL',
     'worker SIGKILL', 'Redis SIGKILL, back empty', 'worker SIGKILL']
    """
    placed = [
        ((number + 0.5) / times, place, fault)
        for place, (fault, times) in enumerate(faults)
        for number in range(times)
    ]
    return [fault for _, _, fault in sorted(placed, key=lambda one: one[:2])]


def described(faults: Sequence[tuple[Fault, int]]) -> str:
    """Names and numbers, for the report."""
    return ", ".join(f"{times} x {fault.name}" for fault, times in faults if times)


def ordinary_faults(scale: int, seconds: float) -> list[tuple[Fault, int]]:
    """What a worker, Redis and the links to it may do; ``scale`` 1 is a few of each."""
    return [
        (KillWorker(), 10 * scale if scale > 1 else 2),
        (LoseRedis(), scale),
        (StopWorker(), scale),
        (CutClients(), scale),
        (PauseRedis(seconds), scale),
        (StopRedis(seconds), scale),
    ]


def _silent(line: str) -> None:
    """Say nothing."""


def under_faults(
    database_url: str,
    folder: Path,
    faults: Sequence[tuple[Fault, int]],
    jobs: int,
    *,
    setup: Setup | None = None,
    postgres: TestPostgres | None = None,
    say: Say = _silent,
) -> tuple[Verdict, Rig]:
    """Submit at least ``jobs`` while ``faults`` happen, wait for all of them, and check."""
    with running(database_url, folder, setup) as rig:
        rig.postgres = postgres
        order = mixed(faults)
        with Load(rig) as load:
            for number, fault in enumerate(order, 1):
                load.wait_for(jobs * (number - 1) // len(order))
                fault.inject(rig)
                say(f"{number}/{len(order)} {fault.name}; {len(load.keys):,} jobs submitted")
            load.wait_for(jobs)
        rig.drain()
        return rig.verdict(), rig
