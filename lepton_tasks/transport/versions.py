"""The versions of kombu and redis-py whose insides this transport was written against."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from packaging.specifiers import SpecifierSet

from lepton_tasks.errors import ConfigError

TESTED: Final = {"kombu": ">=5.7,<5.8", "redis": ">=8.1,<9"}
"""Package → versions; a test holds every part of them that is relied on."""


def check_versions() -> None:
    """Refuse a kombu or redis-py that may work differently inside.

    Raises:
        ConfigError: names the version that is installed and those that will do.
    """
    for package, tested in TESTED.items():
        installed = version(package)
        if not SpecifierSet(tested).contains(installed, prereleases=True):
            raise ConfigError(
                f"{package} {installed} is installed, but the bulk-fetch transport relies on "
                f"the insides of {package}{tested}; run: pip install '{package}{tested}'"
            )
