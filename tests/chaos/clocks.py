"""A worker whose clock is an hour wrong, beside one whose clock is right."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.checker import Verdict
from tests.chaos.load import Load
from tests.chaos.rig import Setup, running


def shifted(seconds: float) -> dict[str, str]:
    """Environment of a worker whose Python's clock is so many seconds wrong.

    libfaketime would shift libc's too, but Python's ``time.sleep`` fails under it.

    >>> shifted(-3600)
    {'CHAOS_CLOCK_SHIFT': '-3600'}
    """
    return {"CHAOS_CLOCK_SHIFT": str(seconds)}


def wrong_clock(
    database_url: str,
    folder: Path,
    jobs: int,
    environment: Mapping[str, str],
    *,
    lease: float,
    seconds: float,
) -> tuple[Verdict, int]:
    """Work for ``seconds`` and more while one worker of two is in another hour.

    ``lease`` is so long that a busy machine does not cost it, and far shorter than an hour;
    a third of it must be shorter than ``seconds`` if it is to be renewed.
    Returns the verdict, and how often a lease ended though its worker was alive.
    """
    with running(database_url, folder, Setup(slots=1, lease=lease), start=False) as rig:
        rig.start_workers("right")
        rig.start_workers("wrong", environment)
        rig.ready()
        began = time.monotonic()
        with Load(rig, most_open=100) as load:
            load.wait_for(jobs)
            rig.until(lambda: time.monotonic() - began > seconds, "time stands still")
        rig.drain()
        premature = len(rig.said(r"(the lease was lost|workers fell silent)"))
        return rig.verdict(), premature
