"""The API starts without a Redis that is away, and not with one that refuses it."""

from __future__ import annotations

import logging
import resource
from contextlib import closing
from pathlib import Path

import pytest

from api.startup import MOST_FILES, check_startup, configure_logging, raise_file_limit
from lepton_tasks.errors import BrokerUnavailable, ConfigError
from lepton_tasks.launcher.ports import free_port
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import open_store
from tests.support.endpoints import TEST_KEY, subscribe


def test_a_redis_that_is_away_is_only_missed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check_startup(Settings(home=tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    assert "jobs are accepted and wait for it" in caplog.text


@pytest.mark.parametrize("login", ["", ":wrong@"])
def test_a_redis_that_refuses_the_password_is_named(
    login: str, tmp_path: Path, redis_url: str
) -> None:
    address = redis_url.partition("@")[2]
    with pytest.raises(BrokerUnavailable, match="password"):
        check_startup(Settings(home=tmp_path, redis_url=f"redis://{login}{address}"))


def test_a_key_that_does_not_open_the_endpoints_is_named(tmp_path: Path, redis_url: str) -> None:
    settings = Settings(home=tmp_path, redis_url=redis_url)
    with closing(open_store(settings)) as store:
        subscribe(store)
    check_startup(settings)
    with pytest.raises(ConfigError, match="LEPTON_SECRET_KEY"):
        check_startup(settings.model_copy(update={"secret_key": TEST_KEY}))


def test_the_log_is_not_filled_by_what_clients_send() -> None:
    configure_logging("INFO")
    assert not logging.getLogger("python_multipart").isEnabledFor(logging.WARNING)
    assert not logging.getLogger("uvicorn.access").propagate


def test_as_many_files_may_be_open_as_the_system_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = before[1]
    top = MOST_FILES if hard == resource.RLIM_INFINITY else hard
    try:
        for soft in (min(1_024, top), top):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            raise_file_limit()
            after = resource.getrlimit(resource.RLIMIT_NOFILE)
            assert after == (max(soft, min(top, MOST_FILES)), hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
