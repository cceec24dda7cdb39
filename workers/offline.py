"""Items through an engine without a worker: encode, sorted micro-batches, decode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lepton_tasks.nlp.base import TaskOptions
from lepton_tasks.nlp.registry import AnyTask
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.base import Encoded, Engine
from workers.engines.loader import load_engine
from workers.engines.trunks import Trunks

PADDED_TOKENS: Final = 1024
BATCH_ITEMS: Final = 256


def shipped_engine(task: str, model: str | None = None, trunks: Trunks | None = None) -> Engine:
    """Load a model of the shipped catalogue onto the CPU, the default of ``task`` or ``model``."""
    return load_engine(task, read_catalogue(DEFAULT_CATALOGUE), "cpu", model, trunks)


def answer_all(
    task: AnyTask, engine: Engine, items: Sequence[Any], options: TaskOptions
) -> list[Any]:
    """Outputs of admitted ``items``, in their order, computed as a worker computes them.

    Raises whatever the task or the engine raises for one of them.
    """
    inputs = [task.encode(task.read_item(item), options) for item in items]
    encoded = [
        one
        for start in range(0, len(inputs), BATCH_ITEMS)
        for one in engine.tokenize(inputs[start : start + BATCH_ITEMS])
    ]
    outputs: dict[int, Any] = {}
    for rows in micro_batches(encoded):
        for row, raw in zip(rows, engine.forward([encoded[row] for row in rows]), strict=True):
            outputs[row] = task.decode(raw, inputs[row], options)
    return [outputs[row] for row in range(len(items))]


def micro_batches(encoded: Sequence[Encoded]) -> list[list[int]]:
    """Row numbers by length, cut so that rows times the longest stays within the budget.

    >>> micro_batches([Encoded(600, None), Encoded(3, None), Encoded(500, None), Encoded(2, None)])
    [[3, 1], [2], [0]]
    """
    batches: list[list[int]] = []
    for row in sorted(range(len(encoded)), key=lambda row: encoded[row].length):
        length = encoded[row].length
        if (
            batches
            and len(batches[-1]) < BATCH_ITEMS
            and (len(batches[-1]) + 1) * length <= PADDED_TOKENS
        ):
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches
