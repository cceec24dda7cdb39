"""Threads without which a worker is alive but does nothing: if one breaks, the process ends."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Final

from celery.worker import state

from lepton_tasks.supervisor.progress import DEVICE_FAULT_EXIT
from workers.device_faults import DeviceFault
from workers.text_free import describe

logger = logging.getLogger(__name__)

BROKEN_EXIT: Final = 1
"""Exit code after an error that nobody foresaw in a vital thread."""


def vital_thread(work: Callable[[], None], name: str) -> threading.Thread:
    """A thread that runs ``work``; an error in it ends this process at once.

    A supervisor then starts a new one, and the lease gives the jobs back. Without
    that the heartbeat would go on for a worker that finishes nothing. At-exit hooks
    do not run: after a device fault they could hang or write nonsense.
    """

    def run() -> None:
        try:
            work()
        except DeviceFault as error:
            _end(f"the device is broken: {error}", DEVICE_FAULT_EXIT)
        except BaseException as error:  # noqa: BLE001 - reported, then fatal
            _end(f"the {name} thread broke: {describe(error)}", BROKEN_EXIT)

    return threading.Thread(target=run, name=name, daemon=True)


def end_by_celery(reason: str, grace: float) -> None:
    """Have Celery end this process as a failure, draining it; end it anyway after ``grace``.

    Returns at once. Whoever drains waits for no caller of this.
    """
    logger.critical("ending this process: %s", reason)
    state.should_stop = BROKEN_EXIT
    last = threading.Timer(grace, _end, ["it did not drain in time", BROKEN_EXIT])
    last.daemon = True
    last.start()


def _end(reason: str, code: int) -> None:
    logger.critical("ending this process: %s", reason)
    logging.shutdown()
    os._exit(code)
