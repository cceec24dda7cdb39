"""Every operation is as our OpenAPI document says: requests of all kinds, and their answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.settings import Settings
from tests.support.described import DescribedApi, described_api
from tests.support.endpoints import TEST_KEY


@pytest.fixture
def described(redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[DescribedApi]:
    redis_url = redis_server.url[:-1] + "4"
    with described_api(
        Settings(home=tmp_path / "home", redis_url=redis_url, secret_key=TEST_KEY)
    ) as api:
        yield api


def test_every_answer_is_as_it_is_described(described: DescribedApi, tmp_path: Path) -> None:
    """The edges of every field and parameter: what the document lets through, and what not."""
    done = described.check(tmp_path, "--phases", "examples,coverage", "--generation-deterministic")
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-4_000:]
    assert described.store.jobs.page("acme"), "no request was good enough to make a job"
