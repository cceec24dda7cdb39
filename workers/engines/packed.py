"""Token ids of a micro-batch laid end to end, and how they stand in a padded rectangle.

Only attention needs the rectangle: everything else of a transformer treats each token by
itself, so it runs on real tokens alone and padding costs nothing there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from workers.engines.transfer import host_tensor, on_device

TokenIds = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Where packed tokens stand in [texts, longest].

    ``mask`` [texts, longest] is True for tokens. ``cells`` [texts * longest] is the packed
    row of each cell, 0 for padding; ``rows`` [tokens] is the cell of each packed row.
    """

    mask: torch.Tensor
    cells: torch.Tensor
    rows: torch.Tensor


@dataclass(frozen=True, slots=True)
class Packed:
    """A micro-batch: ``ids`` and ``positions`` [tokens], ``starts`` [texts] of each text.

    ``longest`` is in tokens. There is no ``rectangle`` where all texts are equally long:
    the packed tokens are one.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    starts: torch.Tensor
    longest: int
    rectangle: Rectangle | None

    def to(self, device: torch.device) -> Packed:
        """The same on ``device``, without waiting for the copy."""
        found = self.rectangle
        return Packed(
            on_device(self.ids, device),
            on_device(self.positions, device),
            on_device(self.starts, device),
            self.longest,
            found
            and Rectangle(
                on_device(found.mask, device),
                on_device(found.cells, device),
                on_device(found.rows, device),
            ),
        )


def pack(texts: Sequence[TokenIds], device: torch.device) -> Packed:
    """Lay ``texts``, at least one and none empty, end to end in host memory for ``device``.

    >>> packed = pack([np.array([7, 8, 9], np.int32), np.array([5], np.int32)], torch.device("cpu"))
    >>> packed.ids.tolist(), packed.positions.tolist(), packed.starts.tolist()
    ([7, 8, 9, 5], [0, 1, 2, 0], [0, 3])
    >>> packed.rectangle.cells.tolist(), packed.rectangle.rows.tolist()
    ([0, 1, 2, 3, 0, 0], [0, 1, 2, 3])
    """
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    longest = int(lengths.max())
    starts = np.cumsum(lengths) - lengths
    places = np.arange(longest)
    mask = places < lengths[:, None]
    rectangle = None
    if not mask.all():
        cells = np.where(mask, starts[:, None] + places, 0)
        rectangle = Rectangle(
            host_tensor(mask, device),
            host_tensor(cells.ravel(), device),
            host_tensor(np.flatnonzero(mask), device),
        )
    positions = np.broadcast_to(places, mask.shape)[mask]
    return Packed(
        host_tensor(np.concatenate(texts).astype(np.int64), device),
        host_tensor(positions, device),
        host_tensor(starts, device),
        longest,
        rectangle,
    )
