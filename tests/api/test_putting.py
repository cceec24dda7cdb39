"""What is stored takes of its tenant's rate; what is refused or was there takes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from api.putting import put
from api.rate_limit import RateLimit
from lepton_tasks.errors import Overloaded, StoreUnavailable
from tests.support.lives import a_job


class Fake:
    """A producer: what it answers, and what it knows of earlier sendings."""

    def __init__(self, *, replayed: bool = False, earlier: Any = None, fails: bool = False) -> None:
        self._replayed, self._fails = replayed, fails
        self.store = SimpleNamespace(jobs=SimpleNamespace(earlier=lambda jobs: earlier))

    async def put_async(self, jobs: Sequence[Any]) -> list[Any]:
        if self._fails:
            raise StoreUnavailable("away")
        return [SimpleNamespace(replayed=self._replayed) for _ in jobs]


def limit() -> RateLimit:
    return RateLimit("tokens", 100.0, 1.0, lambda: 0.0)


def left(tokens: RateLimit, tenant: str) -> int:
    return tokens.take(tenant, 0)


@pytest.mark.parametrize(("replayed", "taken"), [(False, True), (True, False)])
def test_only_new_jobs_take_of_the_rate(replayed: bool, taken: bool) -> None:
    job, tokens = a_job("你好"), limit()
    [answer], headers = asyncio.run(put(Fake(replayed=replayed), tokens, [job]))  # type: ignore[arg-type]
    assert answer.replayed is replayed
    assert "x-ratelimit-remaining-tokens" in headers
    assert left(tokens, job.tenant) == (100 - job.cost if taken else 100)


def test_what_could_not_be_stored_is_given_back() -> None:
    job, tokens = a_job("你好"), limit()
    with pytest.raises(StoreUnavailable):
        asyncio.run(put(Fake(fails=True), tokens, [job]))  # type: ignore[arg-type]
    assert left(tokens, job.tenant) == 100


def test_above_the_rate_only_what_was_accepted_before_is_answered() -> None:
    job, tokens = a_job("你好"), limit()
    tokens.take(job.tenant, 100)
    with pytest.raises(Overloaded):
        asyncio.run(put(Fake(), tokens, [job]))  # type: ignore[arg-type]
    found: Any = asyncio.run(put(Fake(earlier=["first"]), tokens, [job]))  # type: ignore[arg-type]
    assert found == (["first"], {})
