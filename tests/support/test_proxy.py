"""The proxy does to links what its modes say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from lepton_tasks.broker.connection import connect
from lepton_tasks.embedded.redis import EmbeddedRedis
from tests.support.proxy import Mode, Proxy


@pytest.fixture
def proxy(redis_server: EmbeddedRedis) -> Iterator[Proxy]:
    with Proxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy, redis_url: str) -> Iterator[redis.Redis]:
    with connect(proxy.url(redis_url), 1.0) as client:
        client.set("a", "你好")
        yield client


def test_it_passes_also_after_a_reset(proxy: Proxy, client: redis.Redis) -> None:
    proxy.switch(Mode.RESET)
    for _ in range(2):
        with pytest.raises(redis.ConnectionError):
            client.get("a")
    proxy.switch(Mode.PASS)
    assert client.get("a") == "你好".encode()


def test_what_is_dropped_is_heard_by_nobody(
    proxy: Proxy, client: redis.Redis, redis_url: str
) -> None:
    proxy.switch(Mode.DROP)
    for _ in range(2):  # the link that was there, and a new one
        with pytest.raises(redis.TimeoutError):
            client.set("b", "lost")
    proxy.switch(Mode.PASS)
    assert client.get("b") is None


def test_only_the_links_of_then_are_frozen(proxy: Proxy, client: redis.Redis) -> None:
    proxy.freeze()
    with pytest.raises(redis.TimeoutError):
        client.get("a")
    assert client.get("a") is not None


def test_what_is_late_arrives(proxy: Proxy, client: redis.Redis) -> None:
    proxy.switch(Mode.DELAY, 30.0)
    with pytest.raises(redis.TimeoutError):
        client.get("a")
    proxy.switch(Mode.DELAY, 0.01)
    assert client.get("a") is not None
