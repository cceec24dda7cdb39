"""A model's tuning: from the cache, else measured and kept."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from typing import Final

import torch

from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.settings import Settings
from workers.catalogue.entries import choose, load_catalogue
from workers.engines.base import Engine
from workers.engines.loader import torch_device
from workers.tuning.cache import Tuning, TuningCache, TuningKey, device_label
from workers.tuning.choice import choose as choose_point
from workers.tuning.mix import text_mixes
from workers.tuning.sweep import MIX_SIZE, Sweeper, costly, thread_counts

logger = logging.getLogger(__name__)

START_SECONDS: Final = 4.5
"""How long a worker's start may sweep."""


@dataclass(frozen=True, slots=True)
class Tuner:
    """Tunes the default models of tasks on one machine, as ``settings`` say."""

    settings: Settings

    def tuning(self, task: AnyTask, engine: Engine) -> Tuning:
        """Return the kept tuning of ``engine``; where there is none, measure and keep one."""
        cache = TuningCache(self.settings.home)
        with cache.alone():
            found = cache.read(self.key(task, engine))
            if found is None:
                return self._measure(cache, task, engine, START_SECONDS)
        logger.info("%s runs at %s (kept tuning)", task.name, describe(found))
        return found

    def measure(self, task: AnyTask, engine: Engine, limit_seconds: float) -> Tuning:
        """Sweep for about ``limit_seconds``, and keep the outcome.

        Raises:
            ModelError: the device has no memory even for the smallest budget.
        """
        cache = TuningCache(self.settings.home)
        with cache.alone():
            return self._measure(cache, task, engine, limit_seconds)

    def _measure(
        self, cache: TuningCache, task: AnyTask, engine: Engine, limit_seconds: float
    ) -> Tuning:
        began = time.monotonic()
        inputs = costly(engine, text_mixes(task, MIX_SIZE))
        points = Sweeper(self._threads(), limit_seconds).sweep(engine, inputs)
        tuning = Tuning(choose_point(points), points)
        cache.write(self.key(task, engine), tuning)
        took = time.monotonic() - began
        logger.info("%s runs at %s (tuned in %.1f s)", task.name, describe(tuning), took)
        return tuning

    def key(self, task: AnyTask, engine: Engine) -> TuningKey:
        """What the tuning of ``engine`` depends on."""
        entry = choose(load_catalogue(self.settings), task.name, None)
        return TuningKey(
            model=engine.name,
            revision=engine.revision,
            device=device_label(torch_device(self.settings.device)),
            dtype=entry.dtype,
            torch=torch.__version__,
            cpus=_cores(),
            threads=self.settings.threads,
        )

    def _threads(self) -> list[int]:
        if self.settings.threads:
            return [self.settings.threads]
        return thread_counts(_cores()) if torch_device(self.settings.device).type == "cpu" else [1]


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
