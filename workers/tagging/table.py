"""A linear tagger: one row of whole numbers a bucket, one column a tag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from workers.tagging.features import Buckets

_WORDS_AT_ONCE: Final = 1024
"""Words whose weights are gathered together: bounds the memory, changes no sum."""


class TagTable(torch.nn.Module):
    """Weights [buckets, tags] and bias [tags] of one language, int8 and int32 at one scale.

    Sums of whole numbers are exact, so a word gets the same tag whatever is beside it.
    """

    weights: torch.Tensor
    bias: torch.Tensor

    def __init__(self, tags: Sequence[str], weights: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.tags = tuple(tags)
        self.register_buffer("weights", weights)
        self.register_buffer("bias", bias)

    @property
    def buckets(self) -> int:
        """Rows of the table, a power of two."""
        return self.weights.shape[0]

    def tag(self, found: Buckets) -> list[str]:
        """The best tag of every word, whose buckets are a row of ``found``; of a tie the first."""
        weights: npt.NDArray[np.int8] = self.weights.numpy()
        bias: npt.NDArray[np.int32] = self.bias.numpy()
        best: list[str] = []
        for start in range(0, len(found), _WORDS_AT_ONCE):
            rows = weights[found[start : start + _WORDS_AT_ONCE]]
            scores = rows.sum(axis=1, dtype=np.int32) + bias
            best += [self.tags[place] for place in scores.argmax(axis=1)]
        return best
