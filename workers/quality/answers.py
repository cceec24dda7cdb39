"""Items of a measurement through the default model of a task, as a worker runs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lepton_tasks.nlp.base import TaskOptions
from lepton_tasks.nlp.registry import AnyTask
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.base import Engine
from workers.engines.loader import load_engine
from workers.quality.scoring import micro_batches


def default_engine(task: str) -> Engine:
    """The default catalogue's model of ``task``, on the CPU."""
    return load_engine(task, read_catalogue(DEFAULT_CATALOGUE), "cpu")


def answers(task: AnyTask, engine: Engine, items: Sequence[Any], options: TaskOptions) -> list[Any]:
    """Outputs of ``items``, in order, computed in micro-batches sorted by length."""
    inputs = [task.encode(task.read_item(item), options) for item in items]
    encoded = engine.tokenize(inputs)
    outputs: dict[int, Any] = {}
    for rows in micro_batches(encoded):
        for row, raw in zip(rows, engine.forward([encoded[row] for row in rows]), strict=True):
            outputs[row] = task.decode(raw, inputs[row], options)
    return [outputs[row] for row in range(len(items))]
