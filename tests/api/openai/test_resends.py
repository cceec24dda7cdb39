"""What a request that is sent again is known by: keyed, and the same in every process."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis.asyncio

from api.openai.resends import Resends, Sending, resend_key, was_resent
from lepton_tasks.store.store import Store

PATH = "/v1/moderations"


def resends(key: bytes, url: str = "redis://localhost:1") -> Resends:
    return Resends(redis.asyncio.Redis.from_url(url), 30.0, key)


def test_all_processes_of_an_installation_have_one_key(store: Store) -> None:
    key = resend_key(store)
    assert len(key) == 64
    assert resend_key(store) == key


@pytest.mark.parametrize(
    "other",
    [
        (b"other", "acme", PATH, b"{}"),
        (b"key", "acme2", PATH, b"{}"),
        (b"key", "acme", "/v1/embeddings", b"{}"),
        (b"key", "acme", PATH, b"[]"),
        (b"key", "acme/", "v1/moderations", b"{}"),
    ],
)
def test_a_fingerprint_is_of_all_and_needs_the_key(other: tuple[bytes, str, str, bytes]) -> None:
    key, tenant, path, body = other
    print_ = resends(b"key").fingerprint("acme", PATH, b"{}")
    assert print_ == resends(b"key").fingerprint("acme", PATH, b"{}")
    assert print_ != resends(key).fingerprint(tenant, path, body)


def test_a_sending_is_known_until_it_is_forgotten(redis_url: str) -> None:
    async def run() -> list[Any]:
        known = resends(b"key", redis_url)
        print_ = known.fingerprint("acme", PATH, b"{}")
        seen: list[Any] = []
        for step in (lambda: known.note(print_, Sending(2, ["job_1", "job_2"])), None):
            if step is not None:
                step()
            else:
                known.forget(print_)
            await known.close()
            seen.append(await known.latest(print_))
        return seen

    assert asyncio.run(run()) == [Sending(2, ["job_1", "job_2"]), None]


def test_without_redis_nothing_is_known_and_nothing_fails() -> None:
    async def run() -> Sending | None:
        known = resends(b"key")
        known.note("print", Sending(0, ["job_1"]))
        await known.close()
        return await known.latest("print")

    assert asyncio.run(run()) is None


@pytest.mark.parametrize("count", ["\u00b2", "9" * 5_000, "-1", "00", "", "1.0"])
def test_a_number_of_sendings_that_is_none_is_no_fault(count: str) -> None:
    assert was_resent({"x-stainless-retry-count": count}) == count.startswith("9")
