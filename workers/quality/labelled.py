"""Running any task's texts through its engine, and how well labels were found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sklearn.metrics import accuracy_score, f1_score

from lepton_tasks.nlp.registry import AnyTask
from workers.engines.base import Engine
from workers.offline import answer_all


def outputs_of(
    task: AnyTask, engine: Engine, texts: Sequence[str], options: Mapping[str, Any] | None = None
) -> list[Any]:
    """Outputs of ``task`` for ``texts``, at least one, in order, as a worker makes them."""
    chosen = task.options_model.model_validate(dict(options or {}))
    return answer_all(task, engine, texts, chosen)


def macro_f1(truth: Sequence[str], found: Sequence[str]) -> float:
    """Mean F1 of the labels that ``truth`` has; any other answer is merely wrong.

    >>> macro_f1(["good", "bad"], ["good", "neither"])
    0.5
    """
    return float(
        f1_score(truth, found, average="macro", labels=sorted(set(truth)), zero_division=0.0)
    )


def accuracy(truth: Sequence[str], found: Sequence[str]) -> float:
    """Share of right answers."""
    return float(accuracy_score(truth, found))


def share(found: Sequence[Any], holds: Callable[[Any], bool]) -> float:
    """Share of ``found`` for which something holds.

    >>> share([1, 2, 3, 4], lambda one: one > 3)
    0.25
    """
    return sum(map(holds, found)) / len(found)
