"""How many items a worker holds at most before it stops fetching."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """A bound on the items that wait in ``stages``, and as many again for urgent ones.

    A worker whose window is full of bulk work still fetches urgent messages, so that
    these wait for the micro-batch on the device and not for the whole window.

    >>> window = Window(100, ["five!"])
    >>> window.free(), window.free_for_urgent()
    (95, 195)
    """

    items: int
    stages: tuple[Sized, ...] | list[Sized]

    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not any(self.stages)

    def free(self) -> int:
        """Items that may still be fetched; below zero where a message held more than thought."""
        return self.items - sum(len(stage) for stage in self.stages)

    def free_for_urgent(self) -> int:
        """The same for messages of the most urgent queues."""
        return self.free() + self.items
