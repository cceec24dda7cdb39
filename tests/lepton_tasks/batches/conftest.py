from __future__ import annotations

from collections.abc import Iterator

import pytest

from lepton_tasks.settings import Settings
from tests.support.shard_worker import ShardWorker
from tests.support.uploads import Yard


@pytest.fixture
def yard(settings: Settings, redis_url: str) -> Iterator[Yard]:
    """An io worker's means on SQLite."""
    yard = Yard(settings.model_copy(update={"redis_url": redis_url}))
    yield yard
    yard.close()


@pytest.fixture
def worker(yard: Yard) -> Iterator[ShardWorker]:
    """A worker that does what is queued."""
    with ShardWorker(yard.settings.store_url, yard.settings.redis_url) as worker:
        yield worker
