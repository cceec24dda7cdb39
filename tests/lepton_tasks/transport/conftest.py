from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from kombu.asynchronous import Hub

from tests.support.consuming import bulk


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A plain client of the Redis under test."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def loop_connection(redis_url: str) -> Iterator[Any]:
    """A connection on our transport with an event loop of its own, its ``hub``."""
    hub = Hub()
    with bulk(redis_url, unacked_restore_interval=1, unacked_restore_throttle=1) as connection:
        connection.register_with_event_loop(hub)
        connection.hub = hub
        yield connection
        hub.close()
