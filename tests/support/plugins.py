"""Packages from outside, as a worker process sees them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PLUGINS = Path(__file__).parents[1] / "plugins"
GENERATION = _PLUGINS / "generation"
"""Folder of a tiny decoder, the default of the task generation; its weights are to be made."""
NOOP = _PLUGINS / "noop"
"""Folder of the task that does nothing."""
SCRIPTED = _PLUGINS / "scripted"
"""Folder of the task whose text says what the model shall do."""
CHAOS = _PLUGINS / "chaos"
"""Folder of the task that notes each computation."""


def plugin_environment(folder: Path = NOOP) -> dict[str, str]:
    """Variables that install the plugin in ``folder`` for a child process."""
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "PYTHONPATH": os.pathsep.join(paths),
        "LEPTON_CATALOGUES": str(folder / "catalogue.toml"),
    }


@contextmanager
def installed(folder: Path = NOOP) -> Iterator[None]:
    """Install the plugin in ``folder`` for this process and its children."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        for name, value in plugin_environment(folder).items():
            patch.setenv(name, value)
        yield
