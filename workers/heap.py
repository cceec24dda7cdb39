"""The heap: giving back what a start or a model left free, and what stays for good."""

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


def collect_all() -> None:
    """Collect also what :func:`settle_down` took out of sight: cycles of a model that has left.

    It stops every thread for as long as a full collection takes.

    >>> collect_all()
    """
    gc.unfreeze()
    settle_down()


def settle_down() -> None:
    """Take what is alive now out of the garbage collector's sight.

    For the end of a start: modules, classes and the default models stay for good, and a
    full collection that walks them stops every thread for a sixth of a second
    (docs/adr/0011-a-quiet-collector-and-an-early-message.md). What is made later is collected
    as before. What goes later and was here now goes with its last reference, but for
    cycles, so call this once.
    """
    gc.collect()
    gc.freeze()
