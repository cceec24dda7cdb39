"""The main run: faults under load, one after another, and what is left of the work at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.checker import Verdict
from tests.chaos.faults import (
    CutClients,
    Fault,
    HalfOpenLinks,
    KillMachine,
    KillWorker,
    LoseOneWorker,
    LoseRedis,
    PauseRedis,
    PurgeQueues,
    RenewWorkers,
    RestartPostgres,
    RestoreRedis,
    SlowLinks,
    StopRedis,
    StopWorker,
)
from tests.chaos.load import MOST_OPEN, Load
from tests.chaos.rig import Setup, running
from tests.support.postgres import TestPostgres

Say = Callable[[str], None]
Plan = Sequence[tuple[Fault, int]]
"""Faults, and how often each is done."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run: the verdict, the crashes jobs were blamed for, refused late writes."""

    verdict: Verdict
    crashes: int
    refused: int


def _silent(line: str) -> None:
    """Say nothing."""


def mixed(plan: Plan) -> list[Fault]:
    """Spread faults over one another, each so many times.

    >>> plan = [(KillWorker(), 4), (LoseRedis(), 2)]
    >>> [fault.name.split()[0] for fault in mixed(plan)]
    ['worker', 'Redis', 'worker', 'worker', 'Redis', 'worker']
    """
    placed = [
        ((number + 0.5) / times, place, fault)
        for place, (fault, times) in enumerate(plan)
        for number in range(times)
    ]
    return [fault for _, _, fault in sorted(placed, key=lambda one: one[:2])]


def described(plan: Plan) -> str:
    """Names and numbers, for the report.

    >>> described([(KillWorker(), 50), (LoseRedis(), 5)])
    '50 × worker SIGKILL, 5 × Redis SIGKILL, back empty'
    """
    return ", ".join(f"{times} × {fault.name}" for fault, times in plan)


def few_faults(database: str) -> list[tuple[Fault, int]]:
    """One of nearly each, within seconds; memory of Redis is missed sooner under ``patience``."""
    plan: list[tuple[Fault, int]] = [
        (KillWorker(), 2),
        (LoseRedis(), 1),
        (StopWorker(), 1),
        (CutClients(), 1),
        (PauseRedis(1.0), 1),
        (StopRedis(1.0), 1),
        (HalfOpenLinks(), 1),
        (SlowLinks(1.0), 1),
        (PurgeQueues(), 1),
        (RestoreRedis(0.5), 1),
    ]
    return [*plan, (RestartPostgres(), 1)] if database == "postgresql" else plan


def many_faults(database: str) -> list[tuple[Fault, int]]:
    """The whole list, with the times a real outage may take."""
    plan: list[tuple[Fault, int]] = [
        (KillWorker(), 50),
        (KillMachine(), 5),
        (LoseRedis(), 5),
        (StopWorker(), 5),
        (CutClients(), 5),
        (PauseRedis(2.0), 5),
        (StopRedis(2.0), 5),
        (HalfOpenLinks(), 5),
        (SlowLinks(2.0), 5),
        (PurgeQueues(), 2),
        (RestoreRedis(1.0), 2),
    ]
    return [*plan, (RestartPostgres(), 5)] if database == "postgresql" else plan


def kills_apart(times: int) -> list[tuple[Fault, int]]:
    """Workers that die one at a time, each replaced before the next: how soon others take over."""
    return [(LoseOneWorker(), times)]


def stops(times: int) -> list[tuple[Fault, int]]:
    """Workers that sleep past their lease and then go on to write what they had computed."""
    return [(StopWorker(), times)]


def rolling_restarts(times: int) -> list[tuple[Fault, int]]:
    """Nothing but orderly restarts."""
    return [(RenewWorkers(), times)]


def under_faults(
    database_url: str,
    folder: Path,
    plan: Plan,
    jobs: int,
    *,
    setup: Setup | None = None,
    postgres: TestPostgres | None = None,
    say: Say = _silent,
    most_open: int = MOST_OPEN,
) -> Result:
    """Submit at least ``jobs`` while the faults happen, wait for all of them, and check.

    The load keeps up to ``most_open`` jobs open.
    """
    with running(database_url, folder, setup) as rig:
        rig.postgres = postgres
        if any(isinstance(fault, KillMachine) for fault, _ in plan):
            rig.start_workers("chaos1")
            rig.ready()
        order = mixed(plan)
        with Load(rig, most_open=most_open) as load:
            for number, fault in enumerate(order, 1):
                load.wait_for(jobs * (number - 1) // len(order))
                fault.inject(rig)
                say(f"{number}/{len(order)} {fault.name}; {len(load.keys):,} jobs")
            load.wait_for(jobs)
        rig.drain()
        return Result(rig.verdict(), rig.history.crashes(), rig.refused_writes())
