"""Versions of the small random models of :mod:`tests.support.encoders`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lepton_tasks.versions import Versions


def publish(
    versions: Versions,
    model: str,
    folder: Path,
    entry: Mapping[str, Any] | None = None,
    report: Mapping[str, Any] | None = None,
) -> str:
    """Publish the model in ``folder`` as a version; a moderation classifier where not said."""
    staged = versions.stage(model)
    for file in folder.iterdir():
        shutil.copy(file, staged)
    (staged / "CARD.md").write_text("# 版本 · a version\n\nLicence: Apache-2.0\n")
    fields = {"task": "moderation", "engine": "text-classifier", "max_tokens": 64}
    return versions.publish(staged, model, {**fields, **(entry or {})}, report or {})
