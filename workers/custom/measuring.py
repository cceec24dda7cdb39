"""How good a classifier is on rows that were held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.training import HeldOut
from workers.custom.rows import Row
from workers.engines.base import SimpleEngine

_AT_ONCE: Final = 64


def predict(
    engine: SimpleEngine, rows: Sequence[Row], report: Callable[[float], None]
) -> list[str]:
    """The label that scores highest for each row."""
    found: list[str] = []
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        raw = engine.forward(engine.tokenize([ModelInput(row.text, row.language) for row in part]))
        found += [max(scores, key=lambda label: scores[label]) for scores in raw]
        report(len(found) / len(rows))
    return found


def measure(truth: Sequence[str], said: Sequence[str]) -> HeldOut:
    """Accuracy, and F1 averaged over the labels of ``truth``.

    >>> measure(["a", "a", "b", "b"], ["a", "a", "b", "a"])
    HeldOut(accuracy=0.75, f1=0.7333)
    """
    pairs = Counter(zip(truth, said, strict=True))
    given, taken = Counter(truth), Counter(said)
    hits = {label: pairs[label, label] for label in given}
    scores = [2 * hits[label] / (given[label] + taken[label]) for label in given]
    return HeldOut(
        accuracy=round(sum(hits.values()) / len(truth), 4), f1=round(sum(scores) / len(scores), 4)
    )


def majority(train: Sequence[Row], held_out: Sequence[Row]) -> HeldOut:
    """What always saying the commonest label of ``train`` comes to."""
    counts = Counter(row.label for row in train)
    commonest = max(sorted(counts), key=lambda label: counts[label])
    return measure([row.label for row in held_out], [commonest] * len(held_out))
