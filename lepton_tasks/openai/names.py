"""Errors of a job's fields, said in the names that a compatible request has for them."""

from __future__ import annotations

from collections.abc import Mapping

from lepton_tasks.errors import InvalidInput


def renamed(error: InvalidInput, names: Mapping[str, str]) -> InvalidInput:
    """Say an error of admission in the names of a compatible request.

    ``names`` has ours as keys: a field, or the beginning of a path.

    >>> error = InvalidInput("inputs[3] is empty; send some text", "inputs[3]", "empty_text")
    >>> said = renamed(error, {"inputs": "input"})
    >>> str(said), said.param
    ('input[3] is empty; send some text', 'input[3]')
    """
    if error.param is None:
        return error
    for ours, theirs in names.items():
        rest = error.param.removeprefix(ours)
        if rest != error.param and (not rest or not rest[0].isalnum()):
            param = theirs + rest
            return InvalidInput(str(error).replace(error.param, param, 1), param, error.code)
    return error
