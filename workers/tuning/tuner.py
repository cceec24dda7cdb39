"""A lane's tuning: from the cache, else measured and kept."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch

from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.settings import Settings
from workers.engines.base import Engine, Lane
from workers.tuning.cache import Tuning, TuningCache, TuningKey, device_label
from workers.tuning.choice import choose as choose_point
from workers.tuning.mix import text_mixes
from workers.tuning.sweep import MIX_SIZE, Sweeper, costliest, thread_counts

logger = logging.getLogger(__name__)

START_SECONDS: Final = 4.5
"""How long a worker's start may sweep."""


@dataclass(frozen=True, slots=True)
class Tuner:
    """Tunes lanes on one machine, as ``settings`` say."""

    settings: Settings

    def tuning(self, lane: Lane, served: Sequence[tuple[AnyTask, Engine]]) -> Tuning:
        """Return the kept tuning of ``lane``; where there is none, measure and keep one.

        ``served`` are the tasks whose engines run in the lane.
        """
        cache = TuningCache(self.settings.home)
        with cache.alone():
            found = cache.read(self.key(lane))
            if found is None:
                return self._measure(cache, lane, served, START_SECONDS)
        logger.info("%s runs at %s (kept tuning)", lane.key.model, describe(found))
        return found

    def kept(self, lane: Lane) -> Tuning | None:
        """Return the kept tuning of ``lane``, if there is one."""
        return TuningCache(self.settings.home).read(self.key(lane))

    def measure(
        self, lane: Lane, served: Sequence[tuple[AnyTask, Engine]], limit_seconds: float
    ) -> Tuning:
        """Sweep for about ``limit_seconds``, and keep the outcome.

        Raises:
            ModelError: the device has no memory even for the smallest budget.
        """
        cache = TuningCache(self.settings.home)
        with cache.alone():
            return self._measure(cache, lane, served, limit_seconds)

    def _measure(
        self,
        cache: TuningCache,
        lane: Lane,
        served: Sequence[tuple[AnyTask, Engine]],
        limit_seconds: float,
    ) -> Tuning:
        began = time.monotonic()
        mixes = [
            (engine, mix)
            for task, engine in served
            for mix in text_mixes(task, engine.name, MIX_SIZE).values()
        ]
        points = Sweeper(self._threads(lane), limit_seconds).sweep(lane, costliest(mixes))
        tuning = Tuning(choose_point(points), points)
        cache.write(self.key(lane), tuning)
        took = time.monotonic() - began
        logger.info("%s runs at %s (tuned in %.1f s)", lane.key.model, describe(tuning), took)
        return tuning

    def key(self, lane: Lane) -> TuningKey:
        """What the tuning of ``lane`` depends on."""
        return TuningKey(
            model=lane.key.model,
            revision=lane.key.revision,
            device=device_label(torch.device(lane.key.device)),
            dtype=lane.key.dtype,
            torch=torch.__version__,
            cpus=_cores(),
            threads=self.settings.threads,
        )

    def _threads(self, lane: Lane) -> list[int]:
        if self.settings.threads:
            return [self.settings.threads]
        on_cpu = torch.device(lane.key.device).type == "cpu"
        return thread_counts(_cores()) if on_cpu else [1]


def describe(tuning: Tuning) -> str:
    """Say what was chosen, on one line."""
    point = tuning.choice
    return (
        f"{point.budget:,} padded tokens and {point.threads} "
        f"thread{'s' if point.threads > 1 else ''}: {point.texts_per_second:,.0f} texts/s, "
        f"{point.seconds * 1e3:,.0f} ms a micro-batch"
    )


def _cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))
