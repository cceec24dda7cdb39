"""Identifiers: a prefix that names the kind, then a sortable, unguessable rest."""

from __future__ import annotations

import secrets
import time
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_SHIFTS: Final = tuple(range(120, -1, -10))


def new_id(prefix: str) -> str:
    """Make an identifier like ``job_01k…``: 64 bits of nanoseconds, 64 random bits.

    Crockford base 32, lower case. Ids made later sort later, those of one process
    even within a millisecond, so queues keep their order and index pages stay dense.

    >>> first, second = new_id("job"), new_id("job")
    >>> first < second, first.startswith("job_"), len(first)
    (True, True, 30)
    """
    number = time.time_ns() << 64 | secrets.randbits(64)
    digits = "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
    return f"{prefix}_{digits}"
