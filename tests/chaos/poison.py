"""Inputs that kill the process, and inputs that raise, among good ones: each costs only itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lepton_tasks.states import JobState
from tests.chaos.checker import Verdict
from tests.chaos.load import Load, always_answer
from tests.chaos.rig import Rig, Setup, running

_WANTED: Final = {"kill": JobState.DEAD, "raise": JobState.FAILED}


def poisoned(number: int, every: int) -> str:
    """Text of a job: one of ``every`` kills, another raises, the rest are good.

    >>> [poisoned(number, 4) for number in range(4)]
    ['answer', 'kill', 'answer', 'raise']
    """
    place = number % every
    if place == 1:
        return "kill"
    return "raise" if place == every - 1 else always_answer(number)


def poison(
    database_url: str, folder: Path, jobs: int, every: int, setup: Setup
) -> tuple[Verdict, dict[str, int]]:
    """Submit ``jobs`` of which one in ``every`` kills and one raises.

    Returns the verdict, and how many jobs ended as they should not, by the way of it.
    """
    with running(database_url, folder, setup) as rig:
        load = Load(rig, lambda number: poisoned(number, every))
        load.submit(jobs)
        rig.drain()
        return rig.verdict(), wrong_ends(rig, load, every)


def wrong_ends(rig: Rig, load: Load, every: int) -> dict[str, int]:
    """Jobs that ended otherwise than their text asks for, by what happened to them."""
    found: dict[str, int] = {}
    for job in rig.history.stored():
        verb = poisoned(load.keys[job.key or ""], every).split()[0]
        wanted = _WANTED.get(verb, JobState.SUCCEEDED)
        if job.state is not wanted:
            name = f"{verb} inputs {job.state}"
            found[name] = found.get(name, 0) + 1
    return found
