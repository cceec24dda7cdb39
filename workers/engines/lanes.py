"""The lane of an engine that shares its forward pass with no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from lepton_tasks.nlp.base import ModelInput
from workers.engines.base import Encoded, Engine, Lane, LaneKey, Raw, SimpleEngine


class SoloLane(Lane):
    """Runs micro-batches of one engine by its own ``forward``."""

    def __init__(self, key: LaneKey) -> None:
        self.key = key

    def compute(self, prepared: Sequence[tuple[Engine, Encoded]]) -> Sequence[Raw]:
        """Hand the items to the engine they all belong to."""
        return prepared[0][0].forward([encoded for _, encoded in prepared])


class SoloEngine:
    """A SimpleEngine in a lane of its own. Tensors are found in modules among its attributes.

    An engine whose speed does not depend on a budget of tokens says ``tunable = False``.
    """

    def __init__(self, engine: SimpleEngine, device: torch.device, dtype: str) -> None:
        self.name = engine.name
        self.revision = engine.revision
        self.lane = SoloLane(LaneKey(engine.name, engine.revision, str(device), dtype))
        self.lane.tunable = getattr(engine, "tunable", True)
        self._engine = engine

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """As the engine does."""
        return self._engine.tokenize(inputs)

    def forward(self, batch: Sequence[Encoded]) -> Sequence[Raw]:
        """As the engine does."""
        return self._engine.forward(batch)

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield the parameters and buffers of every module that is an attribute."""
        for value in getattr(self._engine, "__dict__", {}).values():
            if isinstance(value, torch.nn.Module):
                yield from value.parameters()
                yield from value.buffers()
