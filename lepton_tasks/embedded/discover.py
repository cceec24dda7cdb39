"""Finding the Redis of the embedded default: the run file of ``lepton up`` names it."""

from __future__ import annotations

from lepton_tasks.errors import ConfigError
from lepton_tasks.launcher.runfile import read_runfile
from lepton_tasks.settings import Settings


def running_settings(settings: Settings) -> Settings:
    """Settings that lead to a running system: configured, or that of this home's ``lepton up``.

    Raises:
        ConfigError: no Redis is configured and nothing runs on this home.
    """
    if settings.redis_url:
        return settings
    running = read_runfile(settings.home)
    if running is None:
        raise ConfigError(
            f"no Redis: nothing runs on {settings.home}. "
            "Start the whole system with `lepton up`, or set LEPTON_REDIS_URL."
        )
    return settings.model_copy(
        update={"redis_url": running.redis_url, "database_url": running.database_url}
    )
