"""The thread between two rounds of the reconciler: quick while there is a backlog, else asleep."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.wakeups import BACKLOG_CHANNEL
from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.feed_loop import FeedLoop
from lepton_tasks.feeder import Fed


class Bench:
    """A feeder whose rounds are counted and answered by the test."""

    def __init__(self, client: redis.Redis) -> None:
        self.loop = FeedLoop(self._feed, client)
        self.rounds = 0
        self.answer: Callable[[], Fed] = lambda: Fed(0, more=False)

    def _feed(self) -> Fed:
        self.rounds += 1
        return self.answer()

    def reaches(self, rounds: int) -> None:
        until(lambda: self.rounds >= rounds)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def feeders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "feeder"]


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url, 5.0) as client:
        yield client


@pytest.fixture
def bench(client: redis.Redis) -> Iterator[Bench]:
    bench = Bench(client)
    yield bench
    bench.loop.close()
    assert feeders() == []


def test_a_backlog_is_fed_again_and_again(bench: Bench) -> None:
    bench.answer = lambda: Fed(5, more=True)
    bench.loop.keep_on(60)
    bench.reaches(10)
    assert len(feeders()) == 1


def test_without_a_backlog_it_sleeps_until_a_hint(bench: Bench, client: redis.Redis) -> None:
    bench.loop.keep_on(60)
    bench.reaches(1)
    for hints in (1, 2, 3):
        assert client.publish(BACKLOG_CHANNEL, b"1") >= 1  # feeders of other tests may hear it
        bench.reaches(1 + hints)
    assert bench.rounds < 20


def test_it_ends_when_nobody_tells_it_on_and_begins_anew(bench: Bench) -> None:
    bench.answer = lambda: Fed(0, more=True)
    bench.loop.keep_on(0.05)
    until(lambda: feeders() == [])
    rounds = bench.rounds
    assert rounds >= 1
    bench.loop.keep_on(60)
    bench.reaches(rounds + 3)
    bench.loop.keep_on(60)
    assert len(feeders()) == 1


@pytest.mark.parametrize("error", [StoreUnavailable("away"), ValueError("a fault of ours")])
def test_an_error_is_waited_out(bench: Bench, error: Exception) -> None:
    def fail_once() -> Fed:
        if bench.rounds == 1:
            raise error
        return Fed(0, more=True)

    bench.answer = fail_once
    bench.loop.keep_on(60)
    bench.reaches(3)


def test_a_redis_that_is_away_is_waited_out() -> None:
    bench = Bench(connect("redis://127.0.0.1:1/0", 0.5))
    bench.loop.keep_on(60)
    until(lambda: len(feeders()) == 1)
    bench.loop.close()
    assert (bench.rounds, feeders()) == (0, [])


def test_closed_it_does_not_begin(bench: Bench) -> None:
    bench.loop.close()
    bench.loop.keep_on(60)
    assert feeders() == []
