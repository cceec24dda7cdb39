"""Moderating many texts of a measurement, as a worker does, and how fast that was."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from lepton_tasks.nlp.moderation import Moderation, ModerationOptions, ModerationOutput
from workers.engines.base import Engine
from workers.offline import BATCH_ITEMS, PADDED_TOKENS, answer_all, micro_batches

__all__ = ["BATCH_ITEMS", "PADDED_TOKENS", "Scored", "micro_batches", "moderate"]


@dataclass(frozen=True, slots=True)
class Scored:
    """Outputs in input order, and the texts per second of wall time that took."""

    outputs: list[ModerationOutput]
    texts_per_second: float


def moderate(
    engine: Engine, texts: Sequence[str], options: ModerationOptions | None = None
) -> Scored:
    """Moderate ``texts``, at least one, in micro-batches sorted by length."""
    began = time.perf_counter()
    outputs = answer_all(Moderation(), engine, texts, options or ModerationOptions())
    return Scored(outputs, len(texts) / (time.perf_counter() - began))
