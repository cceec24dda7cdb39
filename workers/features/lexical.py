"""How like a text is to each of many stored ones: cosine of weighted n-grams, by an index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from workers.features.ngrams import NgramSpec, bags

Floats = npt.NDArray[np.float32]


class LexicalIndex:
    """Postings of hashed n-grams, weighted by how rare they are among the stored texts.

    An n-gram weighs ``(1 + ln(count)) * (1 + ln((1 + texts) / (1 + texts with it)))``, and a
    text's weights have norm 1 (Salton and Buckley 1988).
    """

    def __init__(self, texts: Sequence[str], spec: NgramSpec, rarity: Floats | None = None) -> None:
        """Index ``texts``, at least one; ``rarity`` [buckets] is taken from another index."""
        found = bags(texts, spec)
        seen = np.bincount(found.indices, minlength=spec.buckets)
        if rarity is None:
            rarity = (1.0 + np.log((1.0 + len(texts)) / (1.0 + seen))).astype(np.float32)
        self._spec = spec
        self.rarity = rarity
        owners = np.repeat(np.arange(len(texts)), np.diff(found.offsets))
        weights = found.weights * self.rarity[found.indices]
        norms = np.sqrt(np.bincount(owners, weights * weights, minlength=len(texts)))
        order = np.argsort(found.indices, kind="stable")
        self._owners = owners[order]
        self._weights = (weights / norms[owners])[order].astype(np.float32)
        self._starts = np.concatenate([[0], np.cumsum(seen)])
        self._count = len(texts)

    def __len__(self) -> int:
        """Texts in it."""
        return self._count

    def likeness(self, text: str) -> Floats:
        """Cosine with each stored text, 0 to 1, in their order.

        >>> index = LexicalIndex(["你好", "今天天气很好"], NgramSpec(1 << 12, (1, 2), (0, 0)))
        >>> index.likeness("你好").round(2).tolist()[0], index.likeness("").tolist()
        (1.0, [0.0, 0.0])
        """
        found = bags([text], self._spec)
        weights = found.weights * self.rarity[found.indices]
        norm = float(np.sqrt(weights @ weights)) or 1.0
        spans = [slice(self._starts[one], self._starts[one + 1]) for one in found.indices]
        if not spans:
            return np.zeros(self._count, np.float32)
        owners = np.concatenate([self._owners[span] for span in spans])
        shares = np.concatenate(
            [self._weights[span] * weight for span, weight in zip(spans, weights, strict=True)]
        )
        return (np.bincount(owners, shares, minlength=self._count) / norm).astype(np.float32)
