"""The last webhooks before a system stops that ran for one purpose only."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from lepton_tasks.store.deliveries import DeliveryStore

_LOOK_SECONDS: Final = 0.1


def let_go(
    deliveries: DeliveryStore, patience: float, check: Callable[[], object] = lambda: None
) -> bool:
    """Wait until the sender owes nothing more; False where it still does after ``patience`` s.

    What is left is kept and sent when a sender runs again. ``check`` is called between
    two looks and may raise what ends the wait.
    """
    end = time.monotonic() + patience
    while deliveries.lanes():
        if time.monotonic() > end:
            return False
        check()
        time.sleep(_LOOK_SECONDS)
    return True
