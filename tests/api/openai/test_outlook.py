"""Whether a call is let in: who serves its task, and how far behind the queue is."""

from __future__ import annotations

import asyncio

import pytest

from api.errors import ApiError
from api.openai.outlook import Outlook
from lepton_tasks.errors import Overloaded
from lepton_tasks.queues import Priority


class Queues:
    def __init__(self) -> None:
        self.tasks = {"moderation"}
        self.age = 0.0
        self.asked = 0

    def served(self) -> set[str]:
        self.asked += 1
        return self.tasks

    def ahead(self, tenant: str, task: str, priority: Priority) -> float:
        self.asked += 1
        return self.age


def test_the_store_is_asked_once_a_second() -> None:
    queues, moment = Queues(), 0.0
    outlook = Outlook(queues, patience=10.0, clock=lambda: moment)

    def check() -> None:
        asyncio.run(outlook.check("acme", "moderation", Priority.HIGH))

    check()
    check()
    assert queues.asked == 2
    queues.age = 40.0
    moment = 1.5
    with pytest.raises(Overloaded, match=r"moderation.high have waited for 40 s") as caught:
        check()
    assert caught.value.retry_after == 35.0
    queues.tasks = set()
    moment = 3.0
    with pytest.raises(ApiError, match="no worker serves moderation") as refused:
        check()
    assert refused.value.status == 503
