"""Hashed features of words in their sentences: no vocabulary to keep, the same for any batch.

Each word gives a few 64-bit keys (itself, its ends, its shape). A feature is one key, or
two, of the words around a place, mixed with the feature's number and cut to a bucket.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

Buckets = npt.NDArray[np.int32]
UInts = npt.NDArray[np.uint64]

WORD, EXACT, END1, END2, END3, END4, START1, START2, START3, SHAPE, EXTRA = range(11)
_KEYS: Final = 11
_EDGE: Final = "\x02"
_EDGES: Final = 2
"""Places before and after a sentence that features look at."""

PLAIN: Final = (
    *((0, key) for key in range(_KEYS)),
    *((offset, key) for offset in (-1, 1) for key in (WORD, END2, END3, SHAPE, EXTRA)),
    *((offset, key) for offset in (-2, 2) for key in (WORD, END2, EXTRA)),
)
"""Features of one key: how far away the word is, and which of its keys."""
PAIRS: Final = (
    ((-1, WORD), (0, WORD)),
    ((0, WORD), (1, WORD)),
    ((-1, WORD), (1, WORD)),
    ((-1, WORD), (0, END3)),
    ((0, END3), (1, WORD)),
    ((-1, END3), (0, END3)),
    ((0, END3), (1, END3)),
    ((-2, WORD), (-1, WORD)),
    ((1, WORD), (2, WORD)),
    ((-1, SHAPE), (0, SHAPE)),
    ((0, SHAPE), (1, SHAPE)),
    ((-1, EXTRA), (0, EXTRA)),
    ((0, EXTRA), (1, EXTRA)),
)
"""Features of two keys together."""
FEATURES: Final = len(PLAIN) + len(PAIRS)
FEATURES_VERSION: Final = 1
"""Raised when a feature changes: tables of another version are refused."""

_RUNS: Final = re.compile(r"(.)\1+")
_ASCII: Final = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "X" * 26 + "x" * 26 + "0" * 10
)
_LETTERS: Final = (
    (re.compile(r"[A-Z\u00c0-\u00de]"), "X"),
    (re.compile(r"[a-z\u00df-\u024f]"), "x"),
    (re.compile(r"\d"), "0"),
    (re.compile(r"[\u3400-\u9fff]"), "h"),
)


def shape_of(word: str) -> str:
    """Kinds of characters, runs shortened to two.

    >>> shape_of("McDonald"), shape_of("2005"), shape_of("NASA-led"), shape_of("北京市")
    ('XxXxx', '00', 'XX-xx', 'hh')
    """
    if word.isascii():
        return _RUNS.sub(r"\1\1", word.translate(_ASCII))
    for letters, kind in _LETTERS:
        word = letters.sub(kind, word)
    return _RUNS.sub(r"\1\1", word)


def word_keys(word: str, extra: str = "") -> list[int]:
    """All keys of a word, in the order of the constants above; ``extra`` is the caller's."""
    low = word.lower()
    parts = (
        low,
        word,
        low[-1:],
        low[-2:],
        low[-3:],
        low[-4:],
        low[:1],
        low[:2],
        low[:3],
        shape_of(word),
        extra,
    )
    return [crc32(part.encode("utf-8", "surrogatepass")) for part in parts]


def buckets_of(sentences: Sequence[Sequence[tuple[str, str]]], buckets: int) -> Buckets:
    """Bucket numbers [words, FEATURES] of the words of ``sentences``, one after the other.

    A word comes with its extra key. ``buckets`` is a power of two.
    """
    known: dict[tuple[str, str], int] = {(_EDGE, ""): 0}
    edge = [0] * _EDGES
    rows: list[int] = [*edge]
    inside: list[int] = []
    for sentence in sentences:
        for word in sentence:
            inside.append(len(rows))
            rows.append(known.setdefault(word, len(known)))
        rows += edge
    keys: UInts = np.array([word_keys(*word) for word in known], dtype=np.uint64)
    row_of = np.array(rows, dtype=np.int64)
    at = np.array(inside, dtype=np.int64)
    columns = [keys[row_of[at + offset], key] for offset, key in PLAIN]
    for (left, one), (right, other) in PAIRS:
        first = keys[row_of[at + left], one] << np.uint64(32)
        columns.append(first | keys[row_of[at + right], other])
    table = np.stack(columns, axis=1)
    salts = np.arange(1, FEATURES + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = mix(table ^ salts) >> np.uint64(64 - (buckets.bit_length() - 1))
    return mixed.astype(np.int32)


def mix(values: UInts) -> UInts:
    """Spread every input bit over the output (the finaliser of splitmix64, Vigna 2015)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
