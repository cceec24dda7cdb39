"""The C library's heap: giving back what a start or a model has left free in it."""

from __future__ import annotations

import ctypes
import gc


def give_back() -> None:
    """Collect garbage and return free memory to the system; see malloc_trim(3).

    Takes some tens of milliseconds, so not while jobs wait. A C library without such a
    call keeps its memory.

    >>> give_back()
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
