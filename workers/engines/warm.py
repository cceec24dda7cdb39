"""Running a task's examples through an engine, so that the first job finds it warm."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.registry import AnyTask
from workers.engines.base import Encoded, Engine


def warm_up(task: AnyTask, engine: Engine) -> None:
    """Run the task's examples for the model from text to output, alone and together.

    Those that it refuses, a model of another pair of languages for instance, are left out.
    A model of another server has nothing to warm, and may be away for now.

    Raises:
        Exception: an example fails; the model cannot serve the task.
    """
    if getattr(engine, "remote", False):
        return
    tried = [
        (made, found, chosen)
        for one, chosen in task.examples_for(engine.name)
        for made in [task.encode(task.read_item(one.input), chosen)]
        for found in _tokenized(engine, made)
    ]
    for _, found, _ in tried:
        engine.forward([found])
    together = engine.forward([found for _, found, _ in tried]) if tried else []
    for raw, (made, _, chosen) in zip(together, tried, strict=True):
        with suppress(InvalidInput):
            task.decode(raw, made, chosen)


def _tokenized(engine: Engine, made: ModelInput) -> Sequence[Encoded]:
    try:
        return engine.tokenize([made])
    except InvalidInput:
        return []
