"""One encoder and the heads of many tasks: a mixed micro-batch is one pass through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from workers.engines.base import Encoded, Engine, Lane, LaneKey, Raw
from workers.engines.branches import Fork, Rows, fork
from workers.engines.packed import TokenIds
from workers.engines.trunk import States, Trunk


class TrunkTokens(Protocol):
    """What ``Encoded.tokens`` must have in a TrunkLane: what the trunk sees of an item."""

    @property
    def ids(self) -> TokenIds | tuple[TokenIds, ...]:
        """Token ids of its text, or of each of its texts; empty ones are left out of the trunk."""
        ...


class HeadedEngine(Engine, Protocol):
    """An engine of a TrunkLane: its heads, in the three steps between which the lane works.

    One with an attribute ``top``, a TunedTop, gets the states of those layers in place of
    the trunk's own.
    """

    def collate(self, batch: Sequence[Encoded], rows: Rows) -> Any:
        """Make the heads' tensors in host memory, in any thread.

        ``rows`` [texts] says which text of the trunk's states is each text of the items,
        those of an item side by side; -1 for none.
        """
        ...

    def score(self, collated: Any, states: States | None) -> torch.Tensor:
        """Queue the heads on the device: float32 of one dimension, whatever order.

        ``states`` is None where no item of the micro-batch needed the trunk.
        """
        ...

    def read(self, collated: Any, scores: torch.Tensor) -> list[Raw]:
        """Make one result an item, in order, of what :meth:`score` returned, in host memory."""
        ...


@dataclass(frozen=True, slots=True)
class _Part:
    """One engine's share of a micro-batch: ``places`` are those of its items.

    ``branch`` is the number of the states that its items are in, -1 for none.
    """

    engine: HeadedEngine
    places: list[int]
    collated: Any
    branch: int


@dataclass(frozen=True, slots=True)
class _Prepared:
    parts: list[_Part]
    trunk_batch: Fork | None
    items: int


class TrunkLane(Lane):
    """A trunk, or none, and the engines whose heads stand on it.

    Each distinct text of a micro-batch goes through the trunk once, however many tasks
    ask for it: through the layers that all share, and through the upper layers of those
    tasks alone that ask. The device is waited for once, when all scores come back together.
    """

    def __init__(self, key: LaneKey, device: torch.device, trunk: Trunk | None) -> None:
        self.key = key
        self.device = device
        self._trunk = trunk

    def prepare(self, batch: Sequence[tuple[Engine, Encoded]]) -> _Prepared:
        """Lay out distinct texts for the trunk, and have each engine collate its items."""
        rows, owners, texts = _distinct([encoded.tokens for _, encoded in batch])
        places: dict[Any, list[int]] = {}  # of HeadedEngines: no others name this lane
        for place, (engine, _) in enumerate(batch):
            places.setdefault(engine, []).append(place)
        tops = [getattr(batch[owner][0], "top", None) for owner in owners]
        trunk_batch, rows, branches = fork(rows, texts, tops, self.device)
        parts = []
        for engine, own in places.items():
            of_engine = np.isin(owners, own)
            collated = engine.collate([batch[place][1] for place in own], rows[of_engine])
            parts.append(_Part(engine, own, collated, int(branches[of_engine].max(initial=-1))))
        return _Prepared(parts, trunk_batch, len(batch))

    @torch.inference_mode()
    def compute(self, prepared: _Prepared) -> list[Raw]:
        """Run the trunk, then the heads of each engine, then wait for the scores."""
        states = self._states(prepared.trunk_batch)
        found = [
            part.engine.score(part.collated, None if part.branch < 0 else states[part.branch])
            for part in prepared.parts
        ]
        scores = torch.split(torch.cat(found).cpu(), [len(one) for one in found])
        results: dict[int, Raw] = {}
        for part, own in zip(prepared.parts, scores, strict=True):
            results.update(zip(part.places, part.engine.read(part.collated, own), strict=True))
        return [results[place] for place in range(prepared.items)]

    def _states(self, batch: Fork | None) -> list[States]:
        if self._trunk is None or batch is None:
            return []
        if all(branch.top is None for branch in batch.branches):
            return [self._trunk(batch.whole)]
        return self._trunk.forked(batch)


def _distinct(items: Sequence[TrunkTokens]) -> tuple[Rows, Rows, list[TokenIds]]:
    """Distinct texts in the order met, which of them each text of the items is, and its item.

    A text without tokens is none of them: -1. The order is (rows, items, texts).
    """
    rows: list[int] = []
    owners: list[int] = []
    known: dict[bytes, int] = {}
    texts: list[TokenIds] = []
    for owner, one in enumerate(items):
        for ids in one.ids if isinstance(one.ids, tuple) else (one.ids,):
            row = known.setdefault(ids.tobytes(), len(texts)) if len(ids) else -1
            if row == len(texts):
                texts.append(ids)
            rows.append(row)
            owners.append(owner)
    return np.array(rows, dtype=np.int64), np.array(owners, dtype=np.int64), texts
