"""Keys are remembered for a moment and no longer."""

from __future__ import annotations

import asyncio
import threading

import pytest

from api import key_cache
from api.key_cache import KEEP_SECONDS, KeyCache
from lepton_tasks.errors import StoreUnavailable

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Keys:
    """Valid keys, and what was asked of them."""

    def __init__(self) -> None:
        self.valid = {"good": "acme", "other": "umbrella"}
        self.asked: list[str] = []
        self.away = False
        self.open = threading.Event()
        self.open.set()
        self.now = 0.0

    def tenant_of(self, key: str) -> str | None:
        self.asked.append(key)
        assert self.open.wait(30)
        if self.away:
            raise StoreUnavailable("away")
        return self.valid.get(key)


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def cache(keys: Keys) -> KeyCache:
    return KeyCache(keys.tenant_of, lambda: keys.now)


async def test_a_valid_key_is_asked_for_once_a_moment(keys: Keys, cache: KeyCache) -> None:
    assert [await cache.tenant_of("good") for _ in range(3)] == ["acme"] * 3
    assert await cache.tenant_of("other") == "umbrella"
    assert keys.asked == ["good", "other"]
    keys.now = KEEP_SECONDS
    assert await cache.tenant_of("good") == "acme"
    assert keys.asked == ["good", "other", "good"]


async def test_a_revoked_key_fails_within_a_second(keys: Keys, cache: KeyCache) -> None:
    assert await cache.tenant_of("good") == "acme"
    del keys.valid["good"]
    keys.now = KEEP_SECONDS
    assert KEEP_SECONDS < 1
    assert await cache.tenant_of("good") is None


async def test_a_wrong_key_is_asked_for_each_time(keys: Keys, cache: KeyCache) -> None:
    assert [await cache.tenant_of("bad") for _ in range(2)] == [None, None]
    keys.valid["bad"] = "acme"
    assert await cache.tenant_of("bad") == "acme"
    assert len(keys.asked) == 3


async def test_callers_at_once_share_a_look_up(keys: Keys, cache: KeyCache) -> None:
    keys.open.clear()
    callers = [asyncio.create_task(cache.tenant_of("good")) for _ in range(20)]
    await asyncio.sleep(0)
    callers[0].cancel()
    keys.open.set()
    assert await asyncio.gather(*callers[1:]) == ["acme"] * 19
    assert keys.asked == ["good"]


async def test_an_outage_is_not_remembered(keys: Keys, cache: KeyCache) -> None:
    keys.away = True
    with pytest.raises(StoreUnavailable):
        await cache.tenant_of("good")
    keys.away = False
    assert await cache.tenant_of("good") == "acme"


async def test_memory_is_bounded(
    keys: Keys, cache: KeyCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_cache, "MOST_KEYS", 2)
    keys.valid = {f"k{n}": "acme" for n in range(5)}
    for key in keys.valid:
        await cache.tenant_of(key)
    assert await cache.tenant_of("k4") == "acme"
    assert len(keys.asked) == 5
    await cache.tenant_of("k0")
    assert len(keys.asked) == 6
