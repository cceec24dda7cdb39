"""redis-py's Sentinel clients, closed as a whole and brief when there is no master."""

from __future__ import annotations

from typing import Any

import redis
import redis.asyncio.sentinel
import redis.sentinel

# Two classes of one name: one for blocking clients, one for asyncio.
_NO_MASTER = (redis.sentinel.MasterNotFoundError, redis.asyncio.sentinel.MasterNotFoundError)


class Sentinel(redis.sentinel.Sentinel):
    """Says in one line that there is no master; redis-py prints every connection's options."""

    def discover_master(self, service_name: str) -> Any:
        """Host and port of the master.

        Raises:
            redis.sentinel.MasterNotFoundError: no sentinel answers or knows one that is well.
        """
        try:
            return super().discover_master(service_name)  # type: ignore[no-untyped-call]
        except _NO_MASTER as error:
            raise redis.sentinel.MasterNotFoundError(_no_master(service_name)) from error


class AsyncSentinel(redis.asyncio.sentinel.Sentinel):
    """:class:`Sentinel` for asyncio."""

    async def discover_master(self, service_name: str) -> Any:
        """Host and port of the master.

        Raises:
            redis.asyncio.sentinel.MasterNotFoundError: no sentinel answers or knows one that
                is well.
        """
        try:
            return await super().discover_master(service_name)
        except _NO_MASTER as error:
            raise redis.asyncio.sentinel.MasterNotFoundError(_no_master(service_name)) from error


class MasterPool(redis.sentinel.SentinelConnectionPool):
    """Connections to the master; closing it closes those to the sentinels too."""

    def close(self) -> None:
        """Close all."""
        super().close()
        self.sentinel_manager.close()

    def answers(self) -> str:
        """What each sentinel says when it is asked for its masters."""
        return "; ".join(_answer(sentinel) for sentinel in self.sentinel_manager.sentinels)


class AsyncMasterPool(redis.asyncio.sentinel.SentinelConnectionPool):
    """:class:`MasterPool` for asyncio."""

    async def aclose(self) -> None:
        """Close all."""
        await super().aclose()
        await self.sentinel_manager.aclose()


def _no_master(name: str) -> str:
    return f"no sentinel knows a healthy master {name!r}"


def _answer(sentinel: redis.Redis) -> str:
    options = sentinel.connection_pool.connection_kwargs
    where = f"{options['host']}:{options['port']}"
    try:
        names: Any = sentinel.sentinel_masters()
    except redis.AuthenticationError as error:
        return f"{where} wants a password (sentinel_password): {error}"
    except redis.RedisError as error:
        return f"{where}: {error}"
    return f"{where} knows these masters: {', '.join(names) or 'none'}"
