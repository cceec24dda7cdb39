"""Dense vectors of hashed n-grams: what a text says, letter by letter, in any script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from workers.features.han import simplified_characters
from workers.features.ngrams import NgramSpec, bags

Vectors = npt.NDArray[np.float32]

_TEXTS_AT_ONCE: Final = 256
"""Bounds the memory that many short texts take while they are computed."""


class NgramVectors:
    """Texts to vectors of ``width`` by signed hashing (Weinberger et al. 2009).

    An n-gram's bucket gives its weight, its place in the vector (the low bits) and its
    sign (the bit above them), so that n-grams which share a place cancel out on average.
    Traditional characters count as their simplified forms.
    """

    def __init__(self, spec: NgramSpec, width: int, weights: npt.NDArray[np.float32]) -> None:
        """``weights`` [buckets] is how much each n-gram counts.

        Raises:
            ValueError: ``width`` is no power of two, or leaves no bit for the sign.
        """
        if width < 2 or width & (width - 1) or 2 * width > spec.buckets:
            raise ValueError(
                f"the width must be a power of two and at most {spec.buckets // 2}, not {width}"
            )
        if weights.shape != (spec.buckets,):
            raise ValueError(f"{spec.buckets} weights are needed, not {weights.shape}")
        self.spec = spec
        self.width = width
        self.weights = weights
        self._simplified = simplified_characters()

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Vectors [texts, width] of norm 1, in order.

        A text in which no n-gram counts gets the first unit vector.
        """
        parts = [
            self._some(texts[start : start + _TEXTS_AT_ONCE])
            for start in range(0, len(texts), _TEXTS_AT_ONCE)
        ]
        return np.concatenate([np.zeros((0, self.width), np.float32), *parts])

    def _some(self, texts: Sequence[str]) -> Vectors:
        found = bags([text.translate(self._simplified) for text in texts], self.spec)
        values = found.weights * self.weights[found.indices]
        places = found.indices & (self.width - 1)
        signed = np.where(found.indices & self.width, values, -values)
        rows = np.repeat(np.arange(len(texts)), np.diff(found.offsets))
        sums = np.bincount(rows * self.width + places, signed, len(texts) * self.width)
        vectors = sums.reshape(len(texts), self.width)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        empty = norms[:, 0] < 1e-12
        vectors[empty, 0] = norms[empty] = 1.0
        unit: Vectors = (vectors / norms).astype(np.float32)
        return unit
