from __future__ import annotations

from collections.abc import Iterator

import pytest

from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.settings import Settings
from tests.support.certificates import Authority
from tests.support.noop import NoopBench, noop_bench
from tests.support.tls_proxy import TlsProxy


@pytest.fixture(scope="package")
def bench(
    redis_server: EmbeddedRedis, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NoopBench]:
    """A worker with small micro-batches on a Redis that speaks nothing but TLS."""
    folder = tmp_path_factory.mktemp("contract")
    login = redis_server.url.partition("://")[2].rpartition("@")[0]
    with TlsProxy(redis_server.port, authority.server()) as proxy:
        # A database of its own: the fixture `redis_url` empties the first one.
        url = f"rediss://{login}@127.0.0.1:{proxy.port}/7?ssl_ca_certs={authority.ca_file}"
        settings = Settings(
            home=folder / "home",
            redis_url=url,
            lease_seconds=3.0,
            token_budget=8,
            window_items=64,
        )
        with noop_bench(settings, folder / "worker.log") as bench:
            yield bench
