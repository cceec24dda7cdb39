"""Tenants of API keys, remembered for a moment: the store is not asked at every request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from starlette.concurrency import run_in_threadpool

KEEP_SECONDS: Final = 0.5
"""A revoked key works for at most this long."""
MOST_KEYS: Final = 10_000


class KeyCache:
    """Looks keys up through ``tenant_of``. Lives on one event loop.

    Only valid keys are remembered, so a wrong one never takes a right one's place.
    """

    def __init__(
        self,
        tenant_of: Callable[[str], str | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tenant_of = tenant_of
        self._clock = clock
        self._found: dict[str, tuple[str, float]] = {}
        self._asked: dict[str, asyncio.Future[str | None]] = {}

    async def tenant_of(self, key: str) -> str | None:
        """Tenant of a valid key, as the store had it at most :data:`KEEP_SECONDS` ago."""
        known = self._found.get(key)
        if known is not None and self._clock() < known[1]:
            return known[0]
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = asyncio.ensure_future(self._ask(key))
        return await asyncio.shield(asked)

    async def _ask(self, key: str) -> str | None:
        keep_until = self._clock() + KEEP_SECONDS  # from before the store was asked
        try:
            tenant = await run_in_threadpool(self._tenant_of, key)
        finally:
            del self._asked[key]
        self._found.pop(key, None)
        if tenant is not None:
            while len(self._found) >= MOST_KEYS:
                del self._found[next(iter(self._found))]  # the one found longest ago
            self._found[key] = (tenant, keep_until)
        return tenant
