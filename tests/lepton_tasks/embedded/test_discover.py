"""Settings that lead to a running system."""

from __future__ import annotations

import pytest

from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.errors import ConfigError
from lepton_tasks.launcher.runfile import claim_home
from lepton_tasks.settings import Settings


def test_configured_settings_stay_as_they_are(settings: Settings) -> None:
    configured = settings.model_copy(update={"redis_url": "redis://elsewhere/0"})
    assert running_settings(configured) == configured


def test_a_running_system_is_found(settings: Settings) -> None:
    with claim_home(settings.home) as runfile:
        runfile.write(redis_url="redis://here/0", database_url="sqlite:////data/x.db")
        found = running_settings(settings)
        assert found.redis_url == "redis://here/0"
        assert found.store_url == "sqlite:////data/x.db"


def test_nothing_running_says_how_to_start(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="lepton up"):
        running_settings(settings)
