"""Sending what follows jobs that have just ended here, beside the finisher."""

from __future__ import annotations

import threading
from typing import Final

from lepton_tasks.celery.sending import FollowUpSender
from lepton_tasks.outage import Outage
from workers.vital import vital_thread

_POLL_SECONDS: Final = 60.0
"""How often it looks unasked; the reconciler does so all the time."""


class FollowUps:
    """A thread that sends owed calls as soon as an end in this process has made some."""

    def __init__(self, sender: FollowUpSender, owed: threading.Event) -> None:
        """``owed`` is set when calls may be owed."""
        self._sender = sender
        self._owed = owed
        self._closed = False
        self._thread = vital_thread(self._run, "follow-ups")

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Send what is owed by now, once, and stop."""
        self._closed = True
        self._owed.set()
        self._thread.join()

    def _run(self) -> None:
        outage = Outage("follow-ups")
        pause = _POLL_SECONDS
        while not self._closed:
            self._owed.wait(pause)
            self._owed.clear()
            pause = outage.attempt(self._send)

    def _send(self) -> float:
        self._sender.send_all()
        return _POLL_SECONDS
