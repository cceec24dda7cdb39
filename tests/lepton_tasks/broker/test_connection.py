"""A Redis that cannot carry messages safely is refused with the reason."""

from __future__ import annotations

import pytest
import redis

from lepton_tasks.broker.connection import check_redis, connect
from lepton_tasks.errors import BrokerUnavailable, ConfigError
from lepton_tasks.launcher.ports import free_port


def test_a_good_one_passes(redis_url: str) -> None:
    check_redis(connect(redis_url, 5.0))


def test_an_evicting_one_is_refused(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(BrokerUnavailable, match="noeviction"):
                check_redis(client)
        finally:
            client.config_set("maxmemory-policy", "noeviction")


def test_one_that_is_away_is_named() -> None:
    with pytest.raises(BrokerUnavailable, match="LEPTON_REDIS_URL"):
        check_redis(connect(f"redis://127.0.0.1:{free_port()}/0", 0.5))


def test_a_missing_password_is_named(redis_url: str) -> None:
    with pytest.raises(BrokerUnavailable, match="password"):
        check_redis(connect("redis://" + redis_url.partition("@")[2], 5.0))


def test_a_wrong_url_is_named() -> None:
    with pytest.raises(ConfigError, match="LEPTON_REDIS_URL"):
        connect("http://127.0.0.1", 1.0)
