"""Fixtures that every part's tests share: a real store on both databases, a real Redis."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import redis

from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.settings import Settings
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import upgrade_schema
from lepton_tasks.store.sealing import SecretBox
from lepton_tasks.store.store import Store
from tests.support.certificates import Authority
from tests.support.endpoints import TEST_KEY
from tests.support.postgres import TestPostgres
from tests.support.sentinel import Sentinel
from tests.support.tls_proxy import TlsProxy


def pytest_configure() -> None:
    """Property tests take the same examples in every run, and as long as a busy machine needs.

    To look for new ones: ``pytest --hypothesis-profile=default``.

    A shell's background process ignores SIGINT, and so would all that the tests start and stop.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hypothesis.settings.register_profile(
        "suite",
        deadline=None,
        derandomize=True,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    hypothesis.settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def untuned() -> Iterator[None]:
    """Workers of the tests start without measuring the machine: quick, always the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEPTON_TUNE", "false")
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[TestPostgres]:
    """A PostgreSQL server, started when the first test asks for it."""
    server = TestPostgres()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database; the test runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: TestPostgres = request.getfixturevalue("postgres")
    return server.fresh_database()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store with its tables, on SQLite and on PostgreSQL."""
    database = Database(database_url)
    upgrade_schema(database)
    store = Store(database, SecretBox(TEST_KEY))
    yield store
    store.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an embedded home under the test's own folder."""
    return Settings(home=tmp_path / "home", lease_seconds=3.0)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A real Redis for the whole run."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """URL of a Redis whose database is empty."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushdb()
    return redis_server.url


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority that nobody else trusts."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def tls_proxy(redis_server: EmbeddedRedis, authority: Authority) -> Iterator[TlsProxy]:
    """TLS in front of the Redis of the whole run."""
    with TlsProxy(redis_server.port, authority.server()) as proxy:
        yield proxy


@pytest.fixture
def rediss_url(redis_url: str, tls_proxy: TlsProxy, authority: Authority) -> str:
    """URL of a Redis behind TLS, whose database is empty."""
    login = redis_url.partition("://")[2].rpartition("@")[0]
    return f"rediss://{login}@127.0.0.1:{tls_proxy.port}/0?ssl_ca_certs={authority.ca_file}"


@pytest.fixture(params=["rediss_url", "sentinel"])
def guarded_redis_url(request: pytest.FixtureRequest) -> str:
    """URL of a Redis behind TLS, and of one that is found by its sentinel."""
    place: str | Sentinel = request.getfixturevalue(request.param)
    return place.full_url if isinstance(place, Sentinel) else place


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[Sentinel]:
    """A sentinel and the master it watches."""
    with Sentinel(tmp_path) as group:
        yield group
