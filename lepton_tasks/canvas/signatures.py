"""Celery's signatures as they stand in messages: plain JSON objects that name a call to make.

Here they are checked, given ids that do not change when they are sent a second time, and
given queues. Making messages of them is Celery's own work (`lepton_tasks/celery/sending.py`).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lepton_tasks.ids import is_foreign_id
from lepton_tasks.queues import MESSAGE_PREFIX, Priority, queue_name, task_of_message

Signature = dict[str, Any]
"""``task``, ``args``, ``kwargs``, ``options``; ``subtask_type`` tells a chain, group or chord."""

MAX_DEPTH: Final = 32
"""Deepest nesting of signatures that is followed."""
_IDS: Final = uuid.UUID("6f5bb2f4-8d0e-5d53-9c1b-2f6b5a7a9e11")
"""Namespace of the ids that are given here."""
_PLACES: Final = ("queue", "routing_key", "exchange")
"""Options of which one says where a message goes."""


class CanvasRefused(ValueError):
    """What is to follow a task cannot be kept; the text says why, and quotes nothing of it."""


def check(value: Any, what: str, depth: int = 0) -> Signature:
    """Take ``value`` as a signature whose parts are of the kinds that are read here.

    Raises:
        CanvasRefused: it is none, or is nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise CanvasRefused(f"nests what is to follow more than {MAX_DEPTH} deep ({what})")
    if not isinstance(value, dict) or not _is_name(value.get("task")):
        raise CanvasRefused(f"says what is to follow by something that is no signature ({what})")
    sound = (
        isinstance(value.get("args") or [], list | tuple)
        and isinstance(value.get("kwargs") or {}, dict)
        and isinstance(value.get("options") or {}, dict)
    )
    if not sound:
        raise CanvasRefused(f"says what is to follow by a signature of the wrong shape ({what})")
    options = options_of(value)
    for name in ("task_id", "group_id"):
        if options.get(name) is not None and not is_foreign_id(options[name]):
            raise CanvasRefused(f"says what is to follow by a signature with no usable id ({what})")
    for part in members(value):
        check(part, what, depth + 1)
    for name in ("chord", "link", "link_error", "chain"):
        for linked in as_list(options.get(name)):
            check(linked, what, depth + 1)
    return value


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def as_list(value: Any) -> list[Any]:
    """Nothing, one or several, as Celery writes them, as a list.

    >>> as_list(None), as_list({"task": "t"}), as_list([1])
    ([], [{'task': 't'}], [1])
    """
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def place_of(index: object) -> int | None:
    """The place of a part in its chord's header; None where there is no such place.

    >>> place_of(3), place_of(-1), place_of(2**31), place_of("3")
    (3, None, None, None)
    """
    return index if isinstance(index, int) and 0 <= index < 1 << 31 else None


def options_of(signature: Signature) -> dict[str, Any]:
    """Options of a call, which a signature may lack."""
    return signature.get("options") or {}


def members(signature: Signature) -> list[Any]:
    """Signatures that a chain, a group or a chord is made of; a chord's body comes last."""
    kwargs = signature.get("kwargs") or {}
    match signature.get("subtask_type"):
        case "chain" | "group":
            return as_list(kwargs.get("tasks"))
        case "chord":
            return [*as_list(kwargs.get("header")), *as_list(kwargs.get("body"))]
        case _:
            return []


def identified(signature: Signature, seed: str) -> Signature:
    """A copy in which every call has an id, that made of ``seed`` where it had none.

    >>> one = identified({"task": "t", "options": {"queue": "q"}}, "job_1/link/0")
    >>> one == identified({"task": "t", "options": {"queue": "q"}}, "job_1/link/0")
    True
    >>> identified({"task": "t", "options": {"task_id": "mine"}}, "x")["options"]["task_id"]
    'mine'
    """
    copy = _with_members(
        signature,
        [identified(part, f"{seed}.{place}") for place, part in enumerate(members(signature))],
    )
    if signature.get("subtask_type") not in ("chain", "chord"):  # their ids are those of members
        made = str(uuid.uuid5(_IDS, seed))
        copy["options"] = {"task_id": made, **options_of(signature)}
    return copy


def routed(signature: Signature, queue: str | None) -> Signature:
    """A copy in which calls that name no queue have one.

    Ours go to their task's queue of normal priority, wherever they stand. Others that are
    sent now go to ``queue``, unless that is None; those that are sent later, by whom they
    follow, are left alone.
    """
    copy = _with_members(signature, [routed(part, queue) for part in members(signature)])
    options = dict(options_of(signature))
    for name in ("link", "link_error", "chain", "chord"):
        if options.get(name):
            later = options[name]
            options[name] = (
                [routed(one, None) for one in later]
                if isinstance(later, list | tuple)
                else routed(later, None)
            )
    if signature.get("subtask_type") not in ("chain", "group", "chord"):
        target = default_queue(signature["task"], queue)
        if target is not None and not any(options.get(place) for place in _PLACES):
            options["queue"] = target
    copy["options"] = options
    return copy


def default_queue(task: str, queue: str | None) -> str | None:
    """Queue of a call that names none.

    >>> default_queue("lepton.sentiment", None), default_queue("mine.add", "celery")
    ('sentiment.normal', 'celery')
    """
    if task.startswith(MESSAGE_PREFIX):
        return queue_name(task_of_message(task), Priority.NORMAL)
    return queue


def leaves(signature: Signature) -> Iterator[Signature]:
    """Calls whose ends make up the end of ``signature``, and those before them in a chain.

    A chord ends with its body; its header is not among them.
    """
    kwargs = signature.get("kwargs") or {}
    match signature.get("subtask_type"):
        case "chain" | "group":
            for part in members(signature):
                yield from leaves(part)
        case "chord":
            for part in as_list(kwargs.get("body")):
                yield from leaves(part)
        case _:
            yield signature


def result_tree(signature: Signature, parent: Any = None) -> list[Any] | None:
    """The result of a call as Celery's ``as_tuple`` writes it; None where it has no id.

    >>> result_tree({"task": "t", "options": {"task_id": "a"}})
    [['a', None], None]
    """
    options = options_of(signature)
    kwargs = signature.get("kwargs") or {}
    match signature.get("subtask_type"):
        case "group":
            parts = [result_tree(part) for part in members(signature)]
            known = [part for part in parts if part is not None]
            return [[options.get("task_id"), parent], known]
        case "chain":
            steps = members(signature)
            return result_tree(steps[-1], parent) if steps else None
        case "chord":
            bodies = as_list(kwargs.get("body"))
            return result_tree(bodies[0], parent) if bodies else None
        case _:
            task_id = options.get("task_id")
            return None if task_id is None else [[task_id, parent], None]


def _with_members(signature: Signature, parts: list[Signature]) -> Signature:
    copy = {"args": [], "kwargs": {}, "subtask_type": None, "immutable": False, **signature}
    if not parts:
        return copy
    kwargs: Mapping[str, Any] = signature.get("kwargs") or {}
    if signature.get("subtask_type") == "chord":
        body = as_list(kwargs.get("body"))
        header = parts[: len(parts) - len(body)]
        given = kwargs.get("header")
        made: dict[str, Any] = {"header": header if isinstance(given, list | tuple) else header[0]}
        if body:
            made["body"] = parts[-1]
        copy["kwargs"] = {**kwargs, **made}
    else:
        copy["kwargs"] = {**kwargs, "tasks": parts}
    return copy
