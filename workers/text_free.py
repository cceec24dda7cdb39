"""Describing an error without its message, which may quote a user's text."""

from __future__ import annotations

import traceback
from pathlib import Path


def describe(error: BaseException) -> str:
    """Type and innermost place of ``error``.

    >>> try:
    ...     int("a secret")
    ... except ValueError as error:
    ...     "secret" in describe(error), describe(error).startswith("ValueError at ")
    (False, True)
    """
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    place = frames[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno} in {place.name}"
