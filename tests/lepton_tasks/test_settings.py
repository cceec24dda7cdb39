"""Settings come from the environment, and go to children through it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lepton_tasks.errors import ConfigError
from lepton_tasks.settings import Settings, load_settings


def test_a_child_reads_what_its_parent_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parent = Settings(
        home=tmp_path, redis_url="redis://x/0", webhook_allow_private=True, lease_seconds=4.5
    )
    for name, value in parent.environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == parent


def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEPTON_LEASE_SECONDS", "soon")
    with pytest.raises(ConfigError, match="LEPTON_LEASE_SECONDS"):
        load_settings()


def test_postgresql_urls_get_the_driver_we_ship() -> None:
    settings = Settings(database_url="postgresql://u:p@h/d")
    assert settings.store_url == "postgresql+psycopg://u:p@h/d"


def test_the_default_store_lies_in_the_home(tmp_path: Path) -> None:
    assert Settings(home=tmp_path).store_url == f"sqlite:///{tmp_path}/lepton.db"


def test_networks_that_are_none_are_refused_with_the_variables_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEPTON_WEBHOOK_PRIVATE_NETWORKS", "10.0.0.0/8,10.0.0.1/8")
    with pytest.raises(ConfigError, match=r"LEPTON_WEBHOOK_PRIVATE_NETWORKS.*host bits"):
        load_settings()
