"""The thread that sends what has just become owed."""

from __future__ import annotations

import threading
from typing import cast

from lepton_tasks.celery.sending import FollowUpSender
from lepton_tasks.errors import BrokerUnavailable
from workers.follow_ups import FollowUps

PATIENCE = 60.0


class Sender:
    """Notes each call; fails the first of them if it shall."""

    def __init__(self, fails: int = 0) -> None:
        self.sent = threading.Semaphore(0)
        self._fails = fails

    def send_all(self) -> None:
        if self._fails:
            self._fails -= 1
            raise BrokerUnavailable("away")
        self.sent.release()


def running(sender: Sender) -> tuple[FollowUps, threading.Event]:
    owed = threading.Event()
    thread = FollowUps(cast("FollowUpSender", sender), owed)
    thread.start()
    return thread, owed


def test_it_sends_when_told_and_once_more_at_the_end() -> None:
    sender = Sender()
    thread, owed = running(sender)
    assert not sender.sent.acquire(blocking=False)
    owed.set()
    assert sender.sent.acquire(timeout=PATIENCE)
    thread.close()
    assert sender.sent.acquire(timeout=PATIENCE)


def test_a_broker_that_is_away_is_tried_again() -> None:
    sender = Sender(fails=2)
    thread, owed = running(sender)
    owed.set()
    assert sender.sent.acquire(timeout=PATIENCE)
    thread.close()
