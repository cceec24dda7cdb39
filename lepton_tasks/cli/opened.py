"""The store of the installation that a command is for."""

from __future__ import annotations

from contextlib import closing

from lepton_tasks.settings import load_settings
from lepton_tasks.store.store import Store, open_store


def opened_store() -> closing[Store]:
    """Open it by the environment's settings; closed at the end of the block.

    Raises:
        LeptonError: a setting is wrong, or the database cannot be used.
    """
    return closing(open_store(load_settings()))
