"""What a watch is told of the broker: answers, and that there was no question."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lepton_tasks.embedded.redis import EmbeddedRedis
from tests.support.consuming import Received, bulk, publish, receiving, stock
from tests.support.proxy import Proxy


class Watch:
    def __init__(self) -> None:
        self.answers = 0
        self.excuses = 0

    def answered(self) -> None:
        self.answers += 1

    def owes_nothing(self) -> None:
        self.excuses += 1


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def proxy(redis_server: EmbeddedRedis) -> Iterator[Proxy]:
    with Proxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def received(redis_url: str, proxy: Proxy, watch: Watch) -> Iterator[Received]:
    options = {"socket_timeout": 1, "health_check_interval": 600}
    with (
        bulk(proxy.url(redis_url), **options) as connection,
        receiving(connection, "q") as received,
    ):
        connection.transport.cycle.watch = watch
        yield received


def test_answers_of_an_empty_queue_and_of_a_full_one_count(
    received: Received, watch: Watch, redis_url: str
) -> None:
    received.until(lambda: watch.answers > 0)
    before = watch.answers
    with stock(redis_url) as sender:
        publish(sender, "q", "你好")
    received.until_count(1)
    received.until(lambda: watch.answers > before)


def test_without_room_nothing_is_owed(received: Received, watch: Watch) -> None:
    received.until(lambda: watch.answers > 0)
    excuses = watch.excuses
    received.channel.fetch_room = lambda: 0
    received.until(lambda: watch.excuses > excuses)


def test_a_link_that_died_in_silence_answers_nothing(
    received: Received, watch: Watch, proxy: Proxy
) -> None:
    received.until(lambda: watch.answers > 0)
    proxy.freeze()
    received.once()  # what had come before
    before = watch.answers
    for _ in range(10):
        received.once()
    assert (watch.answers, watch.excuses) == (before, 0)
