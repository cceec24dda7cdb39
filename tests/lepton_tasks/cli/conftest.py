"""A home folder for commands, and the store that they find there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store, open_store


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands look; no other database is named."""
    home = tmp_path / "主页"
    monkeypatch.setenv("LEPTON_HOME", str(home))
    monkeypatch.delenv("LEPTON_DATABASE_URL", raising=False)
    return home


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    """The embedded store of that home."""
    store = open_store(Settings(home=home))
    yield store
    store.close()
