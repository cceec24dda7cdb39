"""Items through an engine without a worker: encode, sorted micro-batches, decode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel

from lepton_tasks.nlp.base import TaskOptions
from lepton_tasks.nlp.registry import AnyTask
from workers.engines.base import Encoded, Engine

PADDED_TOKENS: Final = 1024
BATCH_ITEMS: Final = 256


def answer_all(
    task: AnyTask, engine: Engine, items: Sequence[Any], options: TaskOptions
) -> list[BaseModel]:
    """Outputs of admitted ``items``, in their order, computed as a worker computes them.

    Raises whatever the task or the engine raises for one of them.
    """
    inputs = [task.encode(task.read_item(item), options) for item in items]
    encoded = [
        one
        for start in range(0, len(inputs), BATCH_ITEMS)
        for one in engine.tokenize(inputs[start : start + BATCH_ITEMS])
    ]
    outputs: dict[int, BaseModel] = {}
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
