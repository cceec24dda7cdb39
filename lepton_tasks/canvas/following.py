"""What follows from an end: calls to make, chord parts to count, tasks that will never run.

Pure decisions, as Celery makes them in ``trace.py`` and ``backends/base.py``; the store writes
them down in the transaction of the end (`lepton_tasks/store/canvases.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lepton_tasks.canvas.canvas import Canvas
from lepton_tasks.canvas.signatures import (
    Signature,
    as_list,
    leaves,
    members,
    options_of,
    place_of,
)

Failure = dict[str, Any]
"""An exception as Celery's backends store it: ``exc_type``, ``exc_message``, ``exc_module``."""


@dataclass(frozen=True, slots=True)
class Call:
    """A signature to send, with arguments and options that come on top of its own."""

    signature: Signature
    args: list[Any]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """The end of one part of a chord's header; ``failure`` is None for a success."""

    chord: str
    task_id: str
    index: int | None
    result: Any = None
    failure: Failure | None = None
    body: Signature | None = None
    """The chord's body where it is at hand; its store row has it else."""


@dataclass(slots=True)
class Following:
    """All that follows from one end or several."""

    calls: list[Call] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    never: dict[str, Failure] = field(default_factory=dict)
    """Tasks that were to come after, by id, and why they do not."""

    def add(self, other: Following) -> None:
        """Take what another end brings."""
        self.calls += other.calls
        self.parts += other.parts
        self.never |= other.never


def after_success(canvas: Canvas, task_id: str, output: Any) -> Following:
    """Callbacks and the next call of the chain get ``output``; a chord gets its part."""
    came_from = {"parent_id": task_id, "root_id": canvas.root}
    calls = [Call(one, [output], dict(came_from)) for one in canvas.callbacks]
    if canvas.chain:
        calls.append(Call(canvas.chain[-1], [output], {"chain": canvas.chain[:-1], **came_from}))
    return Following(calls, _own_part(canvas, task_id, output, None))


def after_failure(canvas: Canvas, task_id: str, failure: Failure) -> Following:
    """Errbacks get the task's id; what the chain held fails with it, and so does a chord's part."""
    came_from = {"parent_id": task_id, "root_id": canvas.root}
    following = Following(
        [Call(one, [task_id], dict(came_from)) for one in canvas.errbacks],
        _own_part(canvas, task_id, None, failure),
    )
    for step in canvas.chain:
        following.add(without_run(step, failure))
    return following


def without_run(signature: Signature, failure: Failure) -> Following:
    """What follows where a call will never be made: its tasks have failed, errbacks left alone."""
    following = Following()
    for leaf in leaves(signature):
        options = options_of(leaf)
        task_id = options.get("task_id")
        if not isinstance(task_id, str):
            continue
        following.never[task_id] = failure
        if options.get("chord") and isinstance(options.get("group_id"), str):
            following.parts.append(
                Part(
                    options["group_id"],
                    task_id,
                    place_of(options.get("group_index")),
                    failure=failure,
                    body=options["chord"],
                )
            )
        for step in as_list(options.get("chain")):
            following.add(without_run(step, failure))
    return following


def after_chord(body: Signature, results: Sequence[Any]) -> Following:
    """The body gets the header's results, in order."""
    return Following([Call(body, [list(results)])])


def after_chord_failure(body: Signature, failure: Failure) -> Following:
    """The body fails unrun, and its errbacks get its id."""
    following = without_run(body, failure)
    _call_errbacks(body, following)
    for step in as_list(options_of(body).get("chain")):
        following.add(without_run(step, failure))
    return following


def _call_errbacks(signature: Signature, following: Following) -> None:
    kind = signature.get("subtask_type")
    if kind == "chord":
        for body in as_list((signature.get("kwargs") or {}).get("body")):
            _call_errbacks(body, following)
    elif kind == "group":
        for member in members(signature):
            _call_errbacks(member, following)
    task_id = options_of(signature).get("task_id")
    if kind == "chain":
        steps = members(signature)
        task_id = options_of(steps[0]).get("task_id") if steps else None
        for step in steps[:1]:
            _call_errbacks(step, following)
    for errback in as_list(options_of(signature).get("link_error")):
        following.calls.append(Call(errback, [task_id]))


def chord_failure(task_id: str, failure: Failure) -> Failure:
    """Celery's ``ChordError`` that says which part of the header failed.

    >>> chord_failure("a", {"exc_type": "ValueError", "exc_message": ["no"]})["exc_message"]
    ["Dependency a raised ValueError('no')"]
    """
    said = ", ".join(repr(one) for one in as_list(failure.get("exc_message")))
    return {
        "exc_type": "ChordError",
        "exc_message": [f"Dependency {task_id} raised {failure.get('exc_type')}({said})"],
        "exc_module": "celery.exceptions",
    }


def _own_part(canvas: Canvas, task_id: str, result: Any, failure: Failure | None) -> list[Part]:
    if canvas.group is None:
        return []
    return [Part(canvas.group, task_id, canvas.index, result, failure)]
