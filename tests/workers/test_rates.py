"""Rate limits over Celery's own buckets, and a timer in real time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from kombu.asynchronous import Hub
from kombu.utils.limits import TokenBucket

from tests.support.consuming import run_loop
from workers.consumer import TextFreeConsumer
from workers.rates import RateLimits, tokens

TASK = "lepton.noop"


class Bench:
    """What a consumer has of limits and of a loop, for one task."""

    def __init__(self, limit: Any) -> None:
        self.hub = Hub()
        self.consumer: Any = SimpleNamespace(
            task_buckets={"celery.map": TokenBucket(1.0)},
            timer=self.hub.timer,
            disable_rate_limits=False,
        )
        self.limit(limit)
        self.limits = RateLimits(self.consumer)

    def limit(self, limit: Any) -> None:
        task = SimpleNamespace(rate_limit=limit)
        bucket = TextFreeConsumer.bucket_for_task(object.__new__(TextFreeConsumer), task)
        self.consumer.task_buckets[TASK] = bucket

    def left(self) -> int | None:
        return self.limits.allowances().get("noop")


def test_what_came_without_a_message_is_counted_too() -> None:
    bench = Bench("2/h")
    bench.limits.spend_without_messages("noop", 1)
    bench.limits.spend_without_messages("other", 1)
    assert bench.left() == 0


def test_what_came_is_counted() -> None:
    bench = Bench("1/h")
    assert dict(bench.limits.allowances()) == {"noop": 1}
    bench.limits.spend(TASK)
    assert bench.left() == 0
    bench.limits.spend(TASK)
    assert bench.left() == 0
    bench.limits.spend("lepton.other")


def test_the_loop_looks_again_when_the_next_may_come() -> None:
    bench = Bench("20/s")
    for _ in range(3):
        while bench.left():
            bench.limits.spend(TASK)
        assert len(bench.hub.timer) == 1
        run_loop(bench.hub, lambda: bool(bench.left()))


def test_a_consumer_that_has_connected_again_looks_again_too() -> None:
    bench = Bench("1/h")
    assert len(bench.hub.timer) == 0
    bench.limits.spend(TASK)
    assert len(bench.hub.timer) == 1
    bench.hub.timer.clear()
    bench.limits = RateLimits(bench.consumer)
    assert len(bench.hub.timer) == 1


def test_another_limit_does_not_wait_for_the_one_before_it() -> None:
    bench = Bench("1/h")
    bench.limits.spend(TASK)
    bench.limit("50/s")
    while bench.left():
        bench.limits.spend(TASK)
    run_loop(bench.hub, lambda: bool(bench.left()))
    for lifted in (None, 0, "0"):
        bench.limit(lifted)
        bench.limits.spend(TASK)
        assert bench.left() is None


def test_limits_can_be_switched_off() -> None:
    bench = Bench("1/h")
    bench.consumer.disable_rate_limits = True
    assert bench.left() is None


def test_a_high_rate_is_reached_with_several_messages_at_a_time() -> None:
    bench = Bench("1000/s")
    run_loop(bench.hub, lambda: bench.left() == 100)


@pytest.mark.parametrize(("rate", "capacity"), [(0.3, 1.0), (7.0, 1.0), (10.0, 4.0), (99.0, 9.9)])
def test_tokens_are_as_many_as_can_be_had(rate: float, capacity: float) -> None:
    for _ in range(200):
        bucket = TokenBucket(rate, capacity=capacity)
        while held := tokens(bucket):
            assert bucket.can_consume(held)
