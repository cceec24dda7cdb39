"""Handing this process over to a service: commands start services, never import them."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lepton_tasks.errors import ConfigError
from lepton_tasks.settings import Settings


def require_package(package: str, extra: str) -> None:
    """Check that a service's package is importable here.

    Raises:
        ConfigError: it is not; the message says how to install ``extra``.
    """
    if importlib.util.find_spec(package) is None:
        raise ConfigError(
            f"the package {package!r} is not importable from {Path.cwd()}: services run from the "
            f'repository or the image; clone it and run `pip install -e ".[{extra}]" '
            "-c constraints.txt`"
        )


def become(command: Sequence[str], settings: Settings, stdin: bytes | None = None) -> None:
    """Turn this process into ``command``, so that signals and the exit code are its own.

    It reads ``stdin`` on its standard input, this process's own where that is None.
    """
    if stdin is not None:
        # A file without a name: a pipe would have to be fed while the command reads.
        with tempfile.TemporaryFile() as file:
            file.write(stdin)
            file.seek(0)
            os.dup2(file.fileno(), 0)
    os.execvpe(command[0], list(command), {**os.environ, **settings.environment()})  # noqa: S606
