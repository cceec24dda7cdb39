"""Models are loaded and have run before the first message is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.settings import Settings
from workers.intake import Served
from workers.pool import UNTUNED_BUDGET, ModelPool

__all__ = ["UNTUNED_BUDGET", "WarmTask", "load_served"]


@dataclass(frozen=True, slots=True)
class WarmTask(Served):
    """A served task with the padded tokens that a micro-batch of its engine may hold."""

    token_budget: int


def load_served(tasks: Mapping[str, AnyTask], settings: Settings) -> dict[str, WarmTask]:
    """Load, warm and tune the engine of each task, and set this process's torch threads.

    Raises:
        LeptonError: a model cannot be loaded; the message names it and the reason.
        Exception: a task's example fails; the worker must not start.
    """
    pool = ModelPool(tasks, settings)
    pool.load_defaults()
    served = {}
    for name, task in tasks.items():
        engine = pool.default(name)
        served[name] = WarmTask(task, engine, pool.budget(engine.lane))
    return served
