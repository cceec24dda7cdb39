"""Which fields an object may have."""

from __future__ import annotations

from collections.abc import Iterable

from lepton_tasks.errors import InvalidInput


def refuse_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a field that there is not; a misspelt one must not go unnoticed.

    >>> refuse_unknown(["input"], ["task", "input"])
    >>> refuse_unknown(["input", "ttl"], ["task", "input"])
    Traceback (most recent call last):
    ...
    lepton_tasks.errors.InvalidInput: there is no field ttl; the fields are: task, input

    Raises:
        InvalidInput: ``param`` is the first of them.
    """
    names = list(known)
    for name in given:
        if name not in names:
            raise InvalidInput(
                f"there is no field {name}; the fields are: {', '.join(names)}",
                name,
                "unknown_field",
            )
