"""What may be said of a file: its purpose, its name, how long it is kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lepton_tasks.errors import InvalidInput

BATCH: Final = "batch"
BATCH_OUTPUT: Final = "batch_output"
"""Purpose of what a batch has made; nobody uploads such."""
PURPOSES: Final = ("assistants", BATCH, "evals", "fine-tune", "user_data", "vision")
"""Purposes that a file may be uploaded for. Only batches read any; others are kept as they are."""
LEAST_SECONDS: Final = 3_600
MOST_SECONDS: Final = 2_592_000
_LONGEST_NAME: Final = 255
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def check_purpose(value: object) -> str:
    """Return the purpose of a new file.

    >>> check_purpose("batch")
    'batch'

    Raises:
        InvalidInput: there is none, or it is not one of :data:`PURPOSES`.
    """
    if value is None:
        raise InvalidInput(
            f"purpose is missing; it is one of {', '.join(PURPOSES)}", "purpose", "missing_purpose"
        )
    if value not in PURPOSES:
        raise InvalidInput(
            f"purpose must be one of {', '.join(PURPOSES)}", "purpose", "invalid_purpose"
        )
    return str(value)


def clean_filename(value: str) -> str:
    r"""The name of a file as it is kept and shown: one line, without folders; never a path here.

    >>> clean_filename("C:\\data\\评论 2.jsonl"), clean_filename("../../etc/passwd\r\n")
    ('评论 2.jsonl', 'passwd')
    >>> clean_filename("..")
    'file'
    """
    name = _UNPRINTABLE.sub("", value.replace("\\", "/").rpartition("/")[2]).strip()
    name = name.encode(errors="replace").decode()  # half of a surrogate pair cannot be stored
    return name[-_LONGEST_NAME:] if name.strip(".") else "file"


def check_expiry(
    anchor: object,
    seconds: object,
    names: tuple[str, str] = ("expires_after[anchor]", "expires_after[seconds]"),
) -> float | None:
    """Return how many seconds a file is kept; None where nothing was asked for.

    ``seconds`` is a whole number, or the digits of one. ``names`` are those of the two in the
    request.

    >>> check_expiry(None, None), check_expiry("created_at", "3600")
    (None, 3600.0)

    Raises:
        InvalidInput: one of the two is missing or wrong.
    """
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        raise InvalidInput(f"{names[0]} must be created_at", names[0], "invalid_anchor")
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit():
        seconds = int(seconds[:20])
    if (
        not isinstance(seconds, int)
        or isinstance(seconds, bool)
        or not LEAST_SECONDS <= seconds <= MOST_SECONDS
    ):
        raise InvalidInput(
            f"{names[1]} must be a whole number from {LEAST_SECONDS:,} to {MOST_SECONDS:,}",
            names[1],
            "invalid_seconds",
        )
    return float(seconds)


def read_expiry(value: object, param: str = "expires_after") -> float | None:
    """The same of a field of a JSON body, ``{"anchor": "created_at", "seconds": …}`` or null.

    >>> read_expiry({"anchor": "created_at", "seconds": 3600}), read_expiry(None)
    (3600.0, None)

    Raises:
        InvalidInput: it is wrong; ``param`` is how the request calls it.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping) or set(value) != {"anchor", "seconds"}:
        raise InvalidInput(
            f'{param} must be an object such as {{"anchor": "created_at", "seconds": 86400}}',
            param,
            "invalid_type",
        )
    names = (f"{param}.anchor", f"{param}.seconds")
    return check_expiry(value["anchor"], value["seconds"], names)
