"""Which of many texts may be near-duplicates, without comparing every two of them.

A text's MinHash signature (Broder 1997) over its pairs of neighbouring words, characters
in Chinese, is cut into bands. Texts that have a band in common are candidates, which a
closer look (:mod:`workers.features.overlap`) confirms. Two texts with a share J of their
pairs in common have one with probability ``1 - (1 - J ** ROWS) ** BANDS``: 0.999 at 0.47,
which is about what is left when a fifth of the words was edited, 0.008 at 0.05.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from workers.features.overlap import tokens_of

BANDS: Final = 64
ROWS: Final = 3
_SEED: Final = 7


def band_keys(text: str, simplified: Mapping[int, str]) -> list[bytes]:
    """Return one key a band; texts that share a key at the same place are candidates.

    Case, width, punctuation and traditional characters (``simplified``, a table for
    :meth:`str.translate`) do not count. The same text has the same keys everywhere.

    >>> one, other = (band_keys(text, {}) for text in ("An old tea house.", "AN OLD — tea house"))
    >>> one == other, len(one), len(set(map(len, one)))
    (True, 64, 1)
    """
    from datasketch import MinHash  # a second, and much memory: only who looks for duplicates

    words = [token.folded for token in tokens_of(text, simplified)]
    pairs = pairwise(words) if len(words) > 1 else [(word,) for word in words]
    signature = MinHash(num_perm=BANDS * ROWS, seed=_SEED)
    signature.update_batch([" ".join(pair).encode("utf-8", "surrogatepass") for pair in pairs])
    rows = signature.hashvalues.astype("<u4").reshape(BANDS, ROWS)
    return [row.tobytes() for row in rows]
