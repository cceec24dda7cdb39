from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support.sentinel import Sentinel


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A plain client of the Redis under test."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[Sentinel]:
    """A sentinel and the master it watches."""
    server = Sentinel(tmp_path)
    yield server
    server.stop()
