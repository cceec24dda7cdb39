"""The store that a command works on is the environment's, and is closed after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lepton_tasks.cli.opened import opened_store
from lepton_tasks.errors import ConfigError, StoreUnavailable


def test_it_is_made_under_the_home_and_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEPTON_DATABASE_URL", "")
    with opened_store() as store:
        assert store.keys.all("default") == []
        pool = store.database.engine.pool
    assert (tmp_path / "home" / "lepton.db").is_file()
    assert store.database.engine.pool is not pool  # a closed engine begins with a new one


def test_what_is_wrong_is_said_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    monkeypatch.setenv("LEPTON_LEASE_SECONDS", "soon")
    with pytest.raises(ConfigError, match="LEPTON_LEASE_SECONDS"):
        opened_store()
    monkeypatch.delenv("LEPTON_LEASE_SECONDS")
    monkeypatch.setenv("LEPTON_DATABASE_URL", f"sqlite:///{tmp_path}/none/such/x.db")
    with pytest.raises(StoreUnavailable):
        opened_store()
