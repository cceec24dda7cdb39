"""Connections to Redis, and the refusal of one that would lose messages."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lepton_tasks.errors import BrokerUnavailable, ConfigError

MINIMUM_VERSION = (6, 2)


def connect(url: str, timeout: float) -> redis.Redis:
    """Open a lazy client whose every call takes at most about ``timeout`` seconds.

    Raises:
        ConfigError: the URL does not parse.
    """
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )
    except ValueError as error:
        raise ConfigError(f"LEPTON_REDIS_URL: {error}") from error


def check_redis(client: redis.Redis) -> None:
    """Refuse a Redis that is away, too old, or evicts keys when memory is short.

    Raises:
        BrokerUnavailable: the message says which, and what to do.
    """
    where = _address(client)
    try:
        info = client.info()
    except redis.AuthenticationError as error:
        raise BrokerUnavailable(f"Redis at {where} wants a password: {error}") from error
    except redis.RedisError as error:
        raise BrokerUnavailable(
            f"Redis at {where} cannot be reached: {error}. "
            "Start it, or set LEPTON_REDIS_URL to one that runs."
        ) from error
    version = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
    if version < MINIMUM_VERSION:
        raise BrokerUnavailable(
            f"Redis at {where} is version {info['redis_version']}; 6.2 or newer is needed"
        )
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise BrokerUnavailable(
            f"Redis at {where} evicts keys ({policy}) and would drop whole queues; "
            "set maxmemory-policy noeviction"
        )


def _address(client: redis.Redis) -> str:
    options = client.connection_pool.connection_kwargs
    return f"{options.get('host', options.get('path', '?'))}:{options.get('port', '')}".rstrip(":")
