"""Checkpoints of a run: written whole or not at all, read only where they are of the same run."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from lepton_tasks.version_files import replace_file

logger = logging.getLogger(__name__)

_CURRENT: Final = "checkpoint.safetensors"
_PREVIOUS: Final = "checkpoint.previous.safetensors"
_LEAST_SECONDS: Final = 0.25
_MOST_SHARE: Final = 0.05
"""Of a run's time that may go into storing checkpoints."""


class Checkpoints:
    """The last two checkpoints in a folder. ``identity`` tells runs apart.

    A run whose request, data or rules have changed begins anew; so does one whose
    checkpoints are both damaged.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder = folder
        self._identity = identity
        self._due_at = time.monotonic() + _LEAST_SECONDS

    def load(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
        """The last state and its tensors; None where there is nothing to go on from."""
        for name in (_CURRENT, _PREVIOUS):
            file = self._folder / name
            try:
                with safe_open(file, "pt") as opened:
                    known = opened.metadata() or {}
                    if known.get("identity") != self._identity:
                        continue
                    tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
                return json.loads(known["state"]), tensors
            except FileNotFoundError:
                continue
            except (SafetensorError, OSError, KeyError, ValueError) as error:
                logger.warning("%s is damaged and left out: %s", name, type(error).__name__)
        return None

    def due(self) -> bool:
        """Whether it is time to store another one."""
        return time.monotonic() >= self._due_at

    def store(self, state: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        """Store a checkpoint; after a crash it is there whole, or the one before is.

        Raises:
            OSError: there is no room for it; the one before is still there.
        """
        began = time.monotonic()
        metadata = {"identity": self._identity, "state": json.dumps(dict(state))}
        data = save({name: one.contiguous() for name, one in tensors.items()}, metadata)
        current = self._folder / _CURRENT
        if current.exists():
            current.replace(self._folder / _PREVIOUS)
        replace_file(current, data)
        now = time.monotonic()
        self._due_at = now + max(_LEAST_SECONDS, (now - began) / _MOST_SHARE)
