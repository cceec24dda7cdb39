"""``lepton io`` finds its system, or says what is missing; how it works is the io worker's test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from lepton_tasks.cli.io import io
from lepton_tasks.errors import ConfigError, StoreUnavailable
from lepton_tasks.launcher.runfile import claim_home


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    for name in ("LEPTON_REDIS_URL", "LEPTON_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    level = logging.getLogger().level
    yield tmp_path
    logging.getLogger().setLevel(level)


def test_without_a_redis_it_says_how_to_get_one() -> None:
    with pytest.raises(ConfigError, match="Start the whole system with `lepton up`"):
        io()


def test_a_setting_that_does_not_parse_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEPTON_WEBHOOK_TIMEOUT", "soon")
    with pytest.raises(ConfigError, match="LEPTON_WEBHOOK_TIMEOUT"):
        io()


def test_a_database_that_is_not_ready_ends_it(
    home: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEPTON_REDIS_URL", redis_url)
    monkeypatch.setenv("LEPTON_DATABASE_URL", f"sqlite:///{home}/empty.db")
    monkeypatch.setenv("LEPTON_LOG_LEVEL", "ERROR")
    with pytest.raises(StoreUnavailable, match="lepton db upgrade"):
        io()
    assert logging.getLogger().level == logging.ERROR


def test_it_goes_to_the_system_that_runs_on_this_home(home: Path, redis_url: str) -> None:
    with claim_home(home) as runfile:
        runfile.write(redis_url=redis_url, database_url=f"sqlite:///{home}/another.db")
        with pytest.raises(StoreUnavailable, match="lepton db upgrade"):
            io()
    assert (home / "another.db").exists()
    assert not (home / "lepton.db").exists()
