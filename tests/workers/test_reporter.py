"""What Celery is told while the broker is there, and how little is kept while it is not."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.held import held, items_of
from workers.reporter import Ended, Reporter


class Consumer:
    """Celery's consumer as a reporter sees it; its loop does nothing until it is turned."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.ready: set[Callable[[], None]] = set()
        self.event_dispatcher = SimpleNamespace(
            enabled=True,
            send=lambda kind, **_: self.sent.append(kind),
            flush=lambda: self.sent.append("flushed"),
            _outbound_buffer=deque(range(1_000)),
        )
        self.hub = SimpleNamespace(call_soon=self.ready.add)

    def turn(self) -> None:
        for work in self.ready:
            work()
        self.ready.clear()


@pytest.fixture
def consumer() -> Consumer:
    return Consumer()


def tell_a_life(reporter: Reporter) -> None:
    request = reporter.without_message("job", "moderation")
    job = held("好", request=request)
    reporter.begin(items_of(job))
    reporter.begin(items_of(job))
    reporter.ended([Ended(request, 0.1)])


def test_the_life_of_a_job_without_a_message_is_told_on_the_loop(consumer: Consumer) -> None:
    reporter = Reporter(lambda: False)
    reporter.attach(consumer)
    tell_a_life(reporter)
    assert consumer.sent == []
    consumer.turn()
    assert consumer.sent == ["task-received", "task-started", "task-succeeded"]


def test_nothing_is_kept_for_a_broker_that_is_away(consumer: Consumer) -> None:
    away = True
    reporter = Reporter(lambda: away)
    reporter.attach(consumer)
    for _ in range(3):
        tell_a_life(reporter)
    reporter.flush()
    assert len(reporter._due) == 0
    away = False
    consumer.turn()
    assert consumer.sent == []
    tell_a_life(reporter)
    consumer.turn()
    assert len(consumer.sent) == 3


def test_nobody_is_told_before_there_is_a_consumer() -> None:
    reporter = Reporter(lambda: False)
    tell_a_life(reporter)
    assert len(reporter._due) == 0


def test_what_celery_keeps_is_bounded(consumer: Consumer) -> None:
    reporter = Reporter(lambda: False)
    reporter.attach(consumer)
    kept: Any = consumer.event_dispatcher._outbound_buffer
    kept.append("new")
    assert len(kept) == kept.maxlen
    assert kept[-1] == "new"
