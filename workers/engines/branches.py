"""Which texts of a micro-batch go through which upper layers of a trunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from workers.engines.packed import Packed, TokenIds, pack
from workers.engines.transfer import host_tensor, on_device
from workers.engines.tuned import TunedTop

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Branch:
    """Texts that go through the same layers: those of ``top``, or the trunk's own.

    ``batch`` holds them alone. ``tokens`` are their packed rows in the whole micro-batch;
    None where they are all of it.
    """

    top: TunedTop | None
    batch: Packed
    tokens: torch.Tensor | None

    def to(self, device: torch.device) -> Branch:
        """The same on ``device``, without waiting for the copy."""
        tokens = None if self.tokens is None else on_device(self.tokens, device)
        return Branch(self.top, self.batch.to(device), tokens)


@dataclass(frozen=True, slots=True)
class Fork:
    """A micro-batch of a trunk: ``whole`` through the shared layers, then each branch."""

    whole: Packed
    branches: list[Branch]


def fork(
    rows: Rows, texts: Sequence[TokenIds], tops: Sequence[TunedTop | None], device: torch.device
) -> tuple[Fork | None, Rows, Rows]:
    """Divide what items ask for by the layers that it needs.

    ``rows`` [asked] is a text for each that an item asks for, -1 for none, and ``tops``
    [asked] what it goes through. Returns the fork, None where there are no texts, and for
    each its row among its branch's texts and the number of that branch, -1 for none.
    """
    numbers = np.full(len(rows), -1, dtype=np.int64)
    if not texts:
        return None, rows, numbers
    asking: dict[TunedTop | None, list[int]] = {}
    for item in np.flatnonzero(rows >= 0).tolist():
        asking.setdefault(tops[item], []).append(item)
    whole = pack(texts, device)
    if len(asking) == 1:
        (top,) = asking
        numbers[rows >= 0] = 0
        return Fork(whole, [Branch(top, whole, None)]), rows, numbers
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    owner = np.repeat(np.arange(len(texts)), lengths)  # of each packed row of the whole
    own_rows, branches = rows.copy(), []
    for number, (top, items) in enumerate(asking.items()):
        used = np.unique(rows[items])
        own_rows[items] = np.searchsorted(used, rows[items])
        numbers[items] = number
        tokens = host_tensor(np.flatnonzero(np.isin(owner, used)), device)
        branches.append(Branch(top, pack([texts[row] for row in used], device), tokens))
    return Fork(whole, branches), own_rows, numbers
