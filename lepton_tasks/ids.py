"""Identifiers: a prefix that names the kind, then a sortable, unguessable rest."""

from __future__ import annotations

import secrets
import time
from typing import Final, TypeGuard

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_SHIFTS: Final = tuple(range(120, -1, -10))


MAX_FOREIGN: Final = 255


def is_foreign_id(value: object) -> TypeGuard[str]:
    r"""Whether an id that another program made is one that every database can hold and index.

    NUL or half a surrogate pair would stop the transaction that it is a part of.

    >>> [is_foreign_id(value) for value in ("job_1", "作业 1", "", 7, "a\x00", "\ud800", "a" * 256)]
    [True, True, False, False, False, False, False]
    """
    return isinstance(value, str) and 1 <= len(value) <= MAX_FOREIGN and value.isprintable()


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
