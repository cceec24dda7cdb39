"""Which models there are, as ``/v1/models`` lists them: aliases, and the catalogue's own names.

The catalogue belongs to the model side, which is asked in a process of its own, as the
command line does. Where it does not answer, the aliases are listed alone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Container, Mapping, Sequence
from typing import Any, Final

import orjson

from lepton_tasks.openai.aliases import ALIASES
from lepton_tasks.settings import Settings

logger = logging.getLogger(__name__)

KEEP_SECONDS: Final = 60.0
"""For how long a list is taken for true: a catalogue changes when somebody edits it."""
_PATIENCE_SECONDS: Final = 20.0
_COMMAND: Final = (sys.executable, "-m", "workers.catalogue", "list", "--json")


class ModelList:
    """Names of models that a call may give, each with its task; from one event loop."""

    def __init__(self, settings: Settings) -> None:
        self.since = int(time.time())
        """Unix seconds at which this process began to serve them."""
        self._settings = settings
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")
        self._models: Sequence[Mapping[str, Any]] = ()

    async def tasks_by_name(self, served: Container[str]) -> dict[str, str]:
        """Task by name, aliases first; of tasks in ``served`` alone."""
        models = await self._listed(time.monotonic() - KEEP_SECONDS)
        every = {**ALIASES, **{model["name"]: model["task"] for model in models}}
        return {name: task for name, task in every.items() if task in served}

    async def of_engine(self, engine: str) -> frozenset[str]:
        """Names of the models of an engine, as they are now; none where that cannot be known."""
        models = await self._listed(time.monotonic())
        return frozenset(model["name"] for model in models if model["engine"] == engine)

    async def _listed(self, since: float) -> Sequence[Mapping[str, Any]]:
        """Usable models, by a list that was begun at that monotonic time or later."""
        async with self._lock:
            if self._read_at <= since:
                began = time.monotonic()
                self._models = await self._ask()
                self._read_at = began
            return self._models

    async def _ask(self) -> list[Mapping[str, Any]]:
        child = await asyncio.create_subprocess_exec(
            *_COMMAND,
            env={**os.environ, **self._settings.environment()},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                output, _ = await child.communicate()
        except TimeoutError:
            child.kill()
            await child.wait()
            output = b""
        if child.returncode != 0:
            logger.warning("the catalogue cannot be listed; `lepton models list` says why")
            return []
        return [model for model in orjson.loads(output) if _usable(model)]


def _usable(model: Mapping[str, Any]) -> bool:
    """Whether a worker could load a model: one of the hub must have been pulled.

    >>> _usable({"hub": "BAAI/bge-m3", "bytes": None}), _usable({"hub": None, "bytes": None})
    (False, True)
    """
    return model["hub"] is None or model["bytes"] is not None
