"""Connections to Redis, and the refusal of one that would lose messages."""

from __future__ import annotations

import logging
from typing import Any, Final

import redis
import redis.asyncio
import redis.asyncio.retry
import redis.sentinel
from redis.backoff import NoBackoff
from redis.retry import Retry

from lepton_tasks.broker.address import Host, Login, RedisAddress, Sentinels, parse_address
from lepton_tasks.broker.sentinel import AsyncMasterPool, AsyncSentinel, MasterPool, Sentinel
from lepton_tasks.broker.tls import Tls
from lepton_tasks.errors import BrokerAway, BrokerUnavailable, ConfigError

logger = logging.getLogger(__name__)

MINIMUM_VERSION = (6, 2)
_PING_SECONDS: Final = 10


def connect(url: str, timeout: float) -> redis.Redis:
    """Open a lazy client whose every call takes at most about ``timeout`` seconds.

    Finding the master through Sentinel may take as long again for each sentinel that
    does not answer.

    Raises:
        ConfigError: the URL does not parse, or a file it names cannot be used.
    """
    address = checked_address(url)
    options = _server_options(address, timeout) | {"retry": Retry(NoBackoff(), 0)}
    if not isinstance(address.place, Sentinels):
        return redis.Redis(**options)
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        [(host.name, host.port) for host in address.place.hosts],
        sentinel_kwargs=sentinel_options(address.place, timeout),
    )
    client: redis.Redis = sentinel.master_for(  # type: ignore[no-untyped-call]
        address.place.master_name, connection_pool_class=MasterPool, **options
    )
    return client


def connect_async(url: str, timeout: float) -> redis.asyncio.Redis:
    """Open a lazy client for asyncio; its calls take as long as those of :func:`connect`.

    A connection that listens asks Redis every ten seconds whether it is there.

    Raises:
        ConfigError: the URL does not parse, or a file it names cannot be used.
    """
    address = checked_address(url)
    retry = redis.asyncio.retry.Retry(NoBackoff(), 0)
    options = _server_options(address, timeout)
    options |= {"retry": retry, "health_check_interval": _PING_SECONDS}
    if not isinstance(address.place, Sentinels):
        return redis.asyncio.Redis(**options)
    sentinel = AsyncSentinel(  # type: ignore[no-untyped-call]
        [(host.name, host.port) for host in address.place.hosts],
        sentinel_kwargs=sentinel_options(address.place, timeout) | {"retry": retry},
    )
    client: redis.asyncio.Redis = sentinel.master_for(
        address.place.master_name, connection_pool_class=AsyncMasterPool, **options
    )
    return client


def checked_address(url: str) -> RedisAddress:
    """Read a URL, and look at the files it names.

    Raises:
        ConfigError: it does not parse, or a file cannot be used.
    """
    address = parse_address(url)
    try:
        if address.tls is not None:
            address.tls.check_files()
    except ConfigError as error:
        raise ConfigError(f"LEPTON_REDIS_URL: {error}") from error
    return address


def sentinel_options(sentinels: Sentinels, timeout: float) -> dict[str, Any]:
    """Keyword arguments of redis-py's clients for the sentinels; one that is away costs one try."""
    return _options(sentinels.login, sentinels.tls, timeout) | {"retry": Retry(NoBackoff(), 0)}


def check_redis(client: redis.Redis) -> None:
    """Refuse a Redis that is away, too old, a replica, or evicts keys when memory is short.

    Raises:
        BrokerAway: it cannot be reached.
        BrokerUnavailable: it can, and will not do. The message says why, and what to do.
    """
    where = _place(client)
    try:
        info = client.info()
    except redis.AuthenticationError as error:
        raise BrokerUnavailable(f"Redis at {where} wants a password: {error}") from error
    except redis.RedisError as error:
        raise BrokerAway(
            f"Redis at {where} cannot be reached: {_reason(client, error)}. "
            "Start it, or set LEPTON_REDIS_URL to one that runs."
        ) from error
    version = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
    if version < MINIMUM_VERSION:
        raise BrokerUnavailable(
            f"Redis at {where} is version {info['redis_version']}; 6.2 or newer is needed"
        )
    if info.get("role") == "slave":
        raise BrokerUnavailable(
            f"Redis at {where} is a replica, which takes no messages; name its master, or use "
            "sentinel:// to have it found"
        )
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise BrokerUnavailable(
            f"Redis at {where} evicts keys ({policy}) and would drop whole queues; "
            "set maxmemory-policy noeviction"
        )


def check_redis_if_there(client: redis.Redis) -> None:
    """The same, but a Redis that is away is only missed: whoever asks goes on without it.

    Raises:
        BrokerUnavailable: it is there, and is none to use.
    """
    try:
        client.ping()
    except redis.AuthenticationError:
        pass  # it is there and refuses us: waiting would not help
    except redis.RedisError as error:
        logger.warning("Redis does not answer (%s); jobs are accepted and wait for it", error)
        return
    check_redis(client)


def _server_options(address: RedisAddress, timeout: float) -> dict[str, Any]:
    options = _options(address.login, address.tls, timeout) | {"db": address.database}
    if isinstance(address.place, Host):
        return options | {"host": address.place.name, "port": address.place.port}
    if isinstance(address.place, str):
        return options | {"unix_socket_path": address.place}
    return options  # Sentinel says where


def _options(login: Login, tls: Tls | None, timeout: float) -> dict[str, Any]:
    options = {
        "username": login.username,
        "password": login.password,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "socket_keepalive": True,
    }
    return options if tls is None else options | {"ssl": True} | tls.options()


def _place(client: redis.Redis) -> str:
    pool = client.connection_pool
    if isinstance(pool, MasterPool):
        return f"the master {pool.service_name!r} of the sentinels"
    options = pool.connection_kwargs
    return f"{options.get('host', options.get('path', '?'))}:{options.get('port', '')}".rstrip(":")


def _reason(client: redis.Redis, error: redis.RedisError) -> str:
    pool = client.connection_pool
    if isinstance(pool, MasterPool) and isinstance(error, redis.sentinel.MasterNotFoundError):
        return f"{error}; {pool.answers()}"
    return str(error)
