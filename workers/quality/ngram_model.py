"""An interpolated n-gram model over tokens: what a small language model has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.uint16]
Keys = NDArray[np.uint64]
Floats = NDArray[np.float64]
MOST: Final = 4
"""Tokens of an n-gram at most: four of 16 bits are a key of 64."""
_BITS: Final = np.uint64(16)


@dataclass(frozen=True, slots=True)
class _Order:
    """Counts of the n-grams of one length, sorted by key, and what their contexts had in all."""

    keys: Keys
    counts: Floats
    contexts: Keys
    totals: Floats
    kinds: Floats
    discount: float


class NgramModel:
    """Interpolated Kneser-Ney: each order takes a discount off its counts for the next lower one.

    S. Chen and J. Goodman, An Empirical Study of Smoothing Techniques for Language Modeling,
    1999, section 3.2; one discount an order, n1 / (n1 + 2 n2). The lowest order is mixed with
    the uniform distribution over the vocabulary.
    """

    def __init__(self, shards: Sequence[Ids], vocabulary: int, order: int = MOST) -> None:
        """Count the n-grams of up to ``order`` tokens in ``shards``."""
        if not 1 <= order <= MOST:
            raise ValueError(f"order must lie between 1 and {MOST}, not {order}")
        self._vocabulary = vocabulary
        counted = [_count(shards, length) for length in range(1, order + 1)]
        orders = []
        for length, (keys, counts) in enumerate(counted, 1):
            if length < order:
                # In how many contexts a lower order comes, rather than how often.
                longer = counted[length][0]
                tails = longer & _mask(length)
                keys, counts = np.unique(tails, return_counts=True)
            orders.append(_order(keys, counts.astype(np.float64)))
        self._orders = orders

    def probabilities(self, tokens: Ids) -> Floats:
        """Of each token but the first, given those before it: [len(tokens) - 1]."""
        found = np.full(len(tokens) - 1, 1.0 / self._vocabulary)
        for length, order in enumerate(self._orders, 1):
            keys = _keys(tokens, length)
            if length == 1:
                keys = keys[1:]
            rows = np.arange(len(found) - len(keys), len(found))
            found[rows] = _mixed(order, keys, found[rows])
        return found

    def loss(self, tokens: Ids) -> float:
        """Negative log-likelihood of all tokens but the first, in nats, summed."""
        return float(-np.log(self.probabilities(tokens)).sum())


def _mixed(order: _Order, keys: Keys, lower: Floats) -> Floats:
    """Probabilities by ``order``, those of the lower order where it knows nothing."""
    place, known = _find(order.contexts, keys >> _BITS)
    total = np.where(known, order.totals[place], 1.0)
    kinds = np.where(known, order.kinds[place], 1.0)
    at, seen = _find(order.keys, keys)
    counts = np.where(seen, order.counts[at], 0.0)
    own = np.maximum(counts - order.discount, 0.0) / total
    mixed = own + order.discount * kinds / total * lower
    return np.where(known, mixed, lower)


def _order(keys: Keys, counts: Floats) -> _Order:
    contexts, starts = np.unique(keys >> _BITS, return_index=True)
    ones, twos = (int((counts == number).sum()) for number in (1, 2))
    discount = ones / (ones + 2 * twos) if ones else 0.5
    return _Order(
        keys,
        counts,
        contexts,
        np.add.reduceat(counts, starts),
        np.diff(np.append(starts, len(keys))).astype(np.float64),
        discount,
    )


def _count(shards: Sequence[Ids], length: int) -> tuple[Keys, NDArray[np.int64]]:
    found = [_keys(np.asarray(shard), length) for shard in shards]
    keys, counts = np.unique(np.concatenate(found), return_counts=True)
    return keys, counts


def _keys(tokens: Ids, length: int) -> Keys:
    """Every ``length`` tokens in a row as one number, the last token lowest."""
    rows = len(tokens) - length + 1
    keys = np.zeros(max(0, rows), np.uint64)
    for place in range(length):
        keys = (keys << _BITS) | tokens[place : place + rows].astype(np.uint64)
    return keys


def _mask(length: int) -> np.uint64:
    return np.uint64((1 << (16 * length)) - 1)


def _find(table: Keys, wanted: Keys) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Places of ``wanted`` in a sorted table, and whether it is really there."""
    place = np.minimum(np.searchsorted(table, wanted), len(table) - 1)
    return place, table[place] == wanted
