"""Models are loaded and have run before the first message is fetched."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from transformers.utils.logging import disable_progress_bar

from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.settings import Settings
from workers.catalogue.entries import load_catalogue
from workers.engines.base import Engine
from workers.engines.loader import load_engine
from workers.intake import Served
from workers.tuning.choice import Point
from workers.tuning.tuner import Tuner

logger = logging.getLogger(__name__)

UNTUNED_BUDGET: Final = 2048
"""Padded tokens of a micro-batch where nothing is tuned or set."""


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
    disable_progress_bar()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    engines = {name: _load(task, settings) for name, task in tasks.items()}
    tuned: dict[str, Point] = {}
    if settings.tune and not (settings.token_budget and settings.threads):
        tuner = Tuner(settings)
        tuned = {name: tuner.tuning(task, engines[name]).choice for name, task in tasks.items()}
    if tuned:
        # One process has one thread count: the engine that needs the time decides.
        slowest = min(tuned.values(), key=lambda point: point.tokens_per_second)
        torch.set_num_threads(slowest.threads)
    served = {}
    for name, task in tasks.items():
        measured = tuned[name].budget if name in tuned else UNTUNED_BUDGET
        served[name] = WarmTask(task, engines[name], settings.token_budget or measured)
    return served


def _load(task: AnyTask, settings: Settings) -> Engine:
    began = time.monotonic()
    engine = load_engine(task.name, load_catalogue(settings), settings.device)
    warm_up(task, engine)
    took = time.monotonic() - began
    logger.info("%s is warm: %s at %s, %.1f s", task.name, engine.name, engine.revision, took)
    return engine


def warm_up(task: AnyTask, engine: Engine) -> None:
    """Run the task's examples from text to output, alone and together."""
    options = [task.options_model.model_validate(dict(one.options)) for one in task.examples]
    inputs = [
        task.encode(example.input, chosen)
        for example, chosen in zip(task.examples, options, strict=True)
    ]
    encoded = engine.tokenize(inputs)
    for batch in ([one] for one in encoded):
        engine.forward(batch)
    for raw, model_input, chosen in zip(engine.forward(encoded), inputs, options, strict=True):
        task.decode(raw, model_input, chosen)
