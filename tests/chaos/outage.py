"""Submits while Redis is silent: how long they take, and that nothing of them is lost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.chaos.checker import Verdict, percentile
from tests.chaos.load import Load
from tests.chaos.rig import Rig, Setup, running


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds a single submit took, shortest first: before, and while Redis was silent."""

    before: Sequence[float]
    during: Sequence[float]

    def extra(self) -> float:
        """By how much the 99th percentile grew, in seconds."""
        before, during = (percentile(one, 0.99) or 0.0 for one in (self.before, self.during))
        return during - before


def redis_silent(database_url: str, folder: Path, seconds: float) -> tuple[Verdict, Latencies]:
    """Submit one by one for so long before Redis stops answering, and for so long without it."""
    with running(database_url, folder, Setup()) as rig:
        load = Load(rig)
        _submit_for(rig, load, min(2.0, seconds))  # connections are open by then
        before = _submit_for(rig, load, seconds)
        process = psutil.Process(rig.redis.pid())
        process.suspend()
        try:
            during = _submit_for(rig, load, seconds)
        finally:
            process.resume()
        rig.drain()
        return rig.verdict(), Latencies(before, during)


def _submit_for(rig: Rig, load: Load, seconds: float) -> list[float]:
    took = []
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        load.submit(1)
        took.append(time.monotonic() - began)
        time.sleep(0.05)
    return sorted(took)
