"""Publishing what a long run has made: once, whatever crashes in between."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lepton_tasks.errors import VersionError
from lepton_tasks.versions import Versions


def publish(versions: Versions, run: str, made: Mapping[str, Any], folder: Path) -> str:
    """Publish the model in ``folder``, and serve it where ``made`` says so; returns its version.

    ``made`` has ``model``, ``entry``, ``report`` and ``serve``. ``run`` names the run in the
    report: where it has published before and died before it could say so, that version is the
    answer.

    Raises:
        VersionError: the folder is no whole model.
        OSError: there is no room for it.
    """
    model = made["model"]
    version = _earlier(versions, model, run)
    if version is None:
        staged = versions.stage(model)
        try:
            for file in sorted(folder.iterdir()):
                shutil.copyfile(file, staged / file.name)
            version = versions.publish(staged, model, made["entry"], {**made["report"], "run": run})
        except BaseException:
            versions.discard(staged)
            raise
    if made["serve"] and versions.served(model) != version:
        versions.serve(model, version)
    return version


def _earlier(versions: Versions, model: str, run: str) -> str | None:
    for one in reversed(versions.versions(model)):
        with suppress(VersionError):  # a damaged one is nobody's
            if one.report().get("run") == run:
                return one.name
    return None
