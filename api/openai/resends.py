"""Requests that stock clients send a second time, without a key, when no answer came.

All that marks such a request is ``x-stainless-retry-count`` above 0. So what a request's
jobs are is kept for a short time in Redis by a fingerprint of tenant, URL and body, where
every API process finds it. Without Redis a request that is sent again is a new one.

Fingerprints are keyed, so that who reads Redis cannot try texts until one fits.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis.asyncio
from redis.exceptions import RedisError

from lepton_tasks.store.store import Store

logger = logging.getLogger(__name__)

_PREFIX: Final = "lepton:openai:"


def resend_key(store: Store) -> bytes:
    """Key of the fingerprints, which all API processes of an installation share.

    Raises:
        StoreUnavailable: the database, where it is kept, cannot be used.
    """
    return store.outbox.marker("resends", secrets.token_hex(32)).encode()


def was_resent(headers: Mapping[str, str]) -> bool:
    """Whether a stock client says that it sends a request another time.

    >>> was_resent({"x-stainless-retry-count": "1"}), was_resent({})
    (True, False)
    """
    count = headers.get("x-stainless-retry-count", "0")
    return count.isdecimal() and count.strip("0") != ""


@dataclass(frozen=True, slots=True)
class Sending:
    """Which jobs a request has, and at which sending of it they were waited for."""

    number: int
    job_ids: Sequence[str]


class Resends:
    """Remembers sendings for ``seconds``. Lives on one event loop."""

    def __init__(self, client: redis.asyncio.Redis, seconds: float, key: bytes) -> None:
        """``key`` is that of :func:`resend_key`."""
        self._redis = client
        self._key = key
        self._milliseconds = round(seconds * 1000)
        self._writing: set[asyncio.Task[None]] = set()

    def fingerprint(self, tenant: str, path: str, body: bytes) -> str:
        """What two sendings of one request have in common."""
        whole = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in (tenant.encode(), path.encode(), body):
            whole.update(len(part).to_bytes(8, "big"))
            whole.update(part)
        return whole.hexdigest()

    def note(self, print_: str, sending: Sending) -> None:
        """Remember, soon: whoever is answered at once waits for nothing."""
        value = "\n".join([str(sending.number), *sending.job_ids])
        self._soon(self._set(_PREFIX + print_, value))

    def forget(self, print_: str) -> None:
        """Let the next sending be a new request."""
        self._soon(self._delete(_PREFIX + print_))

    async def latest(self, print_: str) -> Sending | None:
        """The last sending of a request; None where there is none, or Redis is away."""
        try:
            value: bytes | None = await self._redis.get(_PREFIX + print_)  # type: ignore[assignment]
        except (RedisError, OSError):
            return None
        if value is None:
            return None
        number, *job_ids = value.decode().split("\n")
        return Sending(int(number), job_ids)

    async def close(self) -> None:
        """Let what is on its way go out."""
        await asyncio.gather(*self._writing)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _set(self, key: str, value: str) -> None:
        try:
            await self._redis.set(key, value, px=self._milliseconds)
        except (RedisError, OSError) as error:
            logger.debug("a sending is not remembered: %s", type(error).__name__)

    async def _delete(self, key: str) -> None:
        try:
            await self._redis.delete(key)
        except (RedisError, OSError) as error:
            logger.debug("a sending is not forgotten: %s", type(error).__name__)
