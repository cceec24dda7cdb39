"""What a command needs to know of the catalogue, asked of the model side before a job is sent."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import Final

import orjson

from lepton_tasks.errors import InvalidInput
from lepton_tasks.settings import Settings

CLASSIFIER: Final = "text-classifier"
"""Engine of the models that trainings go on from, and that are compressed."""
_PATIENCE_SECONDS: Final = 60.0


def check_classifier(name: str, param: str, settings: Settings) -> None:
    """Refuse a ``name`` that is no text classifier, where this machine can know.

    The job would fail. With ``lepton up`` the catalogue is the one here; a system that is named
    by its Redis may have another.

    Raises:
        InvalidInput: ``param`` names no such model; the message lists those there are.
    """
    if settings.redis_url or importlib.util.find_spec("workers") is None:
        return
    listed = subprocess.run(
        [sys.executable, "-m", "workers.catalogue", "list", "--json"],
        env={**os.environ, **settings.environment()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    if listed.returncode:
        return
    known = [one["name"] for one in orjson.loads(listed.stdout) if one["engine"] == CLASSIFIER]
    if name not in known:
        raise InvalidInput(
            f"{param}: {name!r} is no text classifier of the catalogue; those are "
            f"{', '.join(sorted(known))}",
            param,
        )
