"""What a run has done already: units that are finished, and one that is under way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from workers.longruns.checkpoints import Checkpoints
from workers.longruns.child import Paused, Speaker

Tensors = Mapping[str, torch.Tensor]
State = tuple[Mapping[str, Any], Tensors]
"""Figures and tensors that a unit goes on from."""


class Keeper:
    """Keeps the units of one run in its checkpoints, and pauses the run where that is wanted."""

    def __init__(self, checkpoints: Checkpoints, speaker: Speaker) -> None:
        """Read the last checkpoint, if there is one."""
        self._checkpoints = checkpoints
        self._speaker = speaker
        self._done: dict[str, dict[str, torch.Tensor]] = {}
        self._now: tuple[str, State] | None = None
        found = checkpoints.load()
        self.resumed = found is not None
        """Whether there was something to go on from."""
        if found is not None:
            state, tensors = found
            self._done = {unit: _named(tensors, f"done/{unit}/") for unit in state["done"]}
            if state["unit"] is not None:
                self._now = (state["unit"], (state["state"], _named(tensors, "now/")))

    def finished(self, unit: str) -> Tensors | None:
        """What a unit has ended with; None where it has not."""
        return self._done.get(unit)

    def current(self, unit: str) -> State | None:
        """Where a unit was; None where it has not begun."""
        return self._now[1] if self._now is not None and self._now[0] == unit else None

    def note(self, unit: str, state: Callable[[], State]) -> None:
        """Store where a unit is, if it is time for that.

        Raises:
            Paused: the run was asked to end; it is stored.
        """
        if self._checkpoints.due() or self._speaker.pausing:
            self._now = (unit, state())
            self._store()
        if self._speaker.pausing:
            raise Paused

    def finish(self, unit: str, tensors: Tensors) -> Tensors:
        """Keep what a unit has ended with; returns it."""
        self._done[unit] = dict(tensors)
        self._now = None
        self._store()
        return self._done[unit]

    def _store(self) -> None:
        unit, state = self._now if self._now is not None else (None, ({}, {}))
        tensors = {f"now/{name}": one for name, one in state[1].items()}
        for done, ended in self._done.items():
            tensors |= {f"done/{done}/{name}": one for name, one in ended.items()}
        figures = {"unit": unit, "state": dict(state[0]), "done": list(self._done)}
        self._checkpoints.store(figures, tensors)


def _named(tensors: Tensors, prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)
    }
