"""What the runner asks of an engine: tokenise, then one forward pass a micro-batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lepton_tasks.nlp.base import ModelInput


@dataclass(frozen=True, slots=True)
class Encoded:
    """One item ready for the device.

    ``length`` is the tokens it occupies in the padded rectangle that the device
    computes; ``tokens`` is the engine's own, opaque to everybody else.
    """

    length: int
    tokens: Any


class Engine(Protocol):
    """A warm model. ``tokenize`` may run in another thread than ``forward``."""

    name: str
    """Catalogue name of the model."""
    revision: str
    """Content hash or pinned revision of its weights."""

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Encode items, in order. Costs no device time."""
        ...

    def forward(self, batch: Sequence[Encoded]) -> list[Mapping[str, float]]:
        """Run the model once over ``batch``; one mapping of scores an item, in order."""
        ...
