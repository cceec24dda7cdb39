"""What is to follow a task's end, as its message says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson

from lepton_tasks.canvas.signatures import (
    CanvasRefused,
    Signature,
    as_list,
    check,
    identified,
    place_of,
    result_tree,
)
from lepton_tasks.ids import is_foreign_id

MAX_BYTES: Final = 256 * 1024
"""Largest canvas of one message, as JSON."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """Follow-ups of one task. ``chain`` is in Celery's order: the next call is its last.

    ``chord`` is the body of the chord whose header the task is a part of, None where it is
    of none; ``group`` and ``index`` say which chord, and at which place. ``single`` tells
    that the task has one bare input, so that its result is one bare output.
    """

    callbacks: list[Signature]
    errbacks: list[Signature]
    chain: list[Signature]
    chord: Signature | None
    group: str | None
    index: int | None
    root: str
    single: bool = True

    def dump(self) -> str:
        """JSON as the store keeps it: without the chord's body, which all its parts share."""
        return orjson.dumps(asdict(self) | {"chord": None}).decode()

    @classmethod
    def load(cls, text: str) -> Canvas:
        """Inverse of :meth:`dump`, but for the chord's body."""
        return cls(**orjson.loads(text))

    def children(self, task_id: str) -> list[Any]:
        """Results of what follows a success, as Celery's ``as_tuple`` writes them."""
        parent = [[task_id, None], None]
        following = [*self.callbacks, *self.chain[-1:]]
        trees = (result_tree(one, parent) for one in following)
        return [tree for tree in trees if tree is not None]


def read_canvas(task_id: str, headers: Mapping[str, Any], embed: Any) -> Canvas | None:
    """Read a message's third part, and the headers that belong to it; None where nothing follows.

    Callbacks that have no id are given one that is the same whenever the message is read.

    Raises:
        CanvasRefused: it is no canvas of Celery's, or larger than :data:`MAX_BYTES`.
    """
    if not isinstance(embed, dict):
        return None
    given = {name: embed.get(name) for name in ("callbacks", "errbacks", "chain", "chord")}
    if not any(given.values()):
        return None
    size = len(_encoded(given))
    if size > MAX_BYTES:
        raise CanvasRefused(
            f"says with {size} bytes what is to follow it, and {MAX_BYTES} are allowed"
        )
    links = {
        name: [check(one, name) for one in as_list(given[name])]
        for name in ("callbacks", "errbacks", "chain")
    }
    chord = None if not given["chord"] else check(given["chord"], "chord")
    group, index = headers.get("group"), headers.get("group_index")
    if chord is not None and not is_foreign_id(group):
        raise CanvasRefused("is part of a chord and names no group")
    return Canvas(
        callbacks=_identified(links["callbacks"], f"{task_id}/link"),
        errbacks=_identified(links["errbacks"], f"{task_id}/link_error"),
        chain=_identified(links["chain"], f"{task_id}/chain"),
        chord=chord,
        group=group if chord is not None else None,
        index=place_of(index),
        root=root if is_foreign_id(root := headers.get("root_id")) else task_id,
    )


def _encoded(value: Any) -> bytes:
    try:
        # Nested a little more, as a call that is owed has it in more than one place.
        return orjson.dumps([[[[[[[[value]]]]]]]])
    except (TypeError, RecursionError) as error:
        raise CanvasRefused("says in no JSON of ours what is to follow it") from error


def _identified(signatures: list[Signature], seed: str) -> list[Signature]:
    return [identified(one, f"{seed}/{place}") for place, one in enumerate(signatures)]
