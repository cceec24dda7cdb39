"""Which of a checkpoint's labels is which of a task's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from workers.errors import CatalogueError

Activation = Literal["sigmoid", "softmax"]
"""Scores of labels that are independent of one another, or that sum to one."""


def map_labels(
    name: str,
    own: Mapping[str, int],
    mapping: Mapping[str, str],
    labels: Sequence[str] | None,
    activation: Activation,
) -> dict[str, int]:
    """Logit of each of the task's labels.

    ``own`` are the checkpoint's labels, ``mapping`` the entry's from these to the task's,
    ``labels`` the task's. Of independent scores some may be left out, of a distribution none.

    >>> map_labels("m", {"LABEL_0": 0, "LABEL_1": 1}, {"LABEL_1": "spam"}, ["spam"], "sigmoid")
    {'spam': 1}

    Raises:
        CatalogueError: a label is not the checkpoint's or not the task's, is given twice, or
            is missing.
    """
    given = mapping or {label: label for label in own}
    known = f"the checkpoint's labels are {', '.join(own)}"
    advice = f"say in [{name}.options.labels] which label of the task each of them is"
    if absent := sorted(set(given) - set(own)):
        raise CatalogueError(f"[{name}] options.labels names {absent[0]!r}, but {known}")
    if labels is not None and (strange := sorted(set(given.values()) - set(labels))):
        raise CatalogueError(
            f"[{name}] the task has no label {strange[0]!r}; its labels are "
            f"{', '.join(labels)}, and {known}: {advice}"
        )
    if len(set(given.values())) < len(given):
        raise CatalogueError(f"[{name}] options.labels gives one label of the task twice")
    if activation == "softmax" and (left := sorted(set(own) - set(given))):
        raise CatalogueError(
            f"[{name}] options.labels leaves out {left[0]!r}: scores that sum to one need all "
            f"labels; {advice}"
        )
    return {label: own[theirs] for theirs, label in given.items()}
