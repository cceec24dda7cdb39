"""What pydantic finds wrong with a value, as a producer is told it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

_LONGEST_NAME: Final = 80
_NO_FIELD: Final = "there is no such field"


class Fault(NamedTuple):
    """``place`` is the part that is wrong, such as ``input.items[3].text``."""

    place: str
    says: str


def first_fault(error: ValidationError, value: object, param: str) -> Fault:
    """The fault to tell of ``value``, which stands in ``param``: nothing of its texts is told.

    Where the value may be of several kinds, it is the fault that lies deepest in it.

    >>> from pydantic import TypeAdapter
    >>> value = [{"id": "a"}]
    >>> try:
    ...     TypeAdapter(list[str | dict[str, int]]).validate_python(value)
    ... except ValidationError as error:
    ...     first_fault(error, value, "input")[0]
    'input[0].id'
    """
    found = [
        Fault(_place(one["loc"], one["type"], value, param), _says(one["type"], one["msg"]))
        for one in error.errors(include_url=False, include_input=False)
    ]
    first = found[0].place
    inside = (f"{first}.", f"{first}[")
    within = [one for one in found if one.place == first or one.place.startswith(inside)]
    return max(within, key=lambda one: len(one.place))


def _place(loc: Sequence[int | str], kind: str, value: Any, param: str) -> str:
    """Follow ``loc`` through ``value``; names of the kinds that it might be are left out."""
    place = param
    for depth, part in enumerate(loc, 1):
        if isinstance(part, int):
            place += f"[{part}]"
            value = value[part] if isinstance(value, Sequence) and part < len(value) else None
        elif isinstance(value, Mapping) and (
            part in value or (kind == "missing" and depth == len(loc))
        ):
            place += f".{part[:_LONGEST_NAME]}"
            value = value.get(part)
    return place


def _says(kind: str, message: str) -> str:
    return _NO_FIELD if kind == "extra_forbidden" else message.removeprefix("Value error, ")
