"""Running texts through an engine as a worker does: encode, sorted micro-batches, decode."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from lepton_tasks.nlp.moderation import Moderation, ModerationOptions, ModerationOutput
from workers.engines.base import Encoded, Engine

PADDED_TOKENS = 1024
BATCH_ITEMS = 256


@dataclass(frozen=True, slots=True)
class Scored:
    """Outputs in input order, and the texts per second of wall time that took."""

    outputs: list[ModerationOutput]
    texts_per_second: float


def moderate(
    engine: Engine, texts: Sequence[str], options: ModerationOptions | None = None
) -> Scored:
    """Moderate ``texts``, at least one, in micro-batches sorted by length."""
    task, options = Moderation(), options or ModerationOptions()
    began = time.perf_counter()
    inputs = [task.encode(text, options) for text in texts]
    encoded = [
        one
        for start in range(0, len(inputs), BATCH_ITEMS)
        for one in engine.tokenize(inputs[start : start + BATCH_ITEMS])
    ]
    outputs: dict[int, ModerationOutput] = {}
    for rows in micro_batches(encoded):
        for row, raw in zip(rows, engine.forward([encoded[row] for row in rows]), strict=True):
            outputs[row] = task.decode(raw, inputs[row], options)
    elapsed = time.perf_counter() - began
    return Scored([outputs[row] for row in range(len(texts))], len(texts) / elapsed)


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
