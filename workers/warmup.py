"""Models are loaded and have run before the first message is fetched."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

import torch
from transformers.utils.logging import disable_progress_bar

from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.settings import Settings
from workers.catalogue.entries import DEFAULT_CATALOGUE
from workers.engines.base import Engine
from workers.engines.loader import load_engine
from workers.intake import Served

logger = logging.getLogger(__name__)


def load_served(tasks: Mapping[str, AnyTask], settings: Settings) -> dict[str, Served]:
    """Load and warm the engine of each task.

    Raises:
        LeptonError: a model cannot be loaded; the message names it and the reason.
        Exception: a task's example fails; the worker must not start.
    """
    disable_progress_bar()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    served = {}
    for name, task in tasks.items():
        began = time.monotonic()
        engine = load_engine(name, DEFAULT_CATALOGUE, settings.device)
        warm_up(task, engine)
        logger.info(
            "%s is warm: %s at %s, %.1f s",
            name,
            engine.name,
            engine.revision,
            time.monotonic() - began,
        )
        served[name] = Served(task, engine)
    return served


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
