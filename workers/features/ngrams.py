"""Hashed n-gram features: texts in, sparse weighted bags out, with no vocabulary to keep.

The n-grams of a whole batch are hashed at once with numpy. A prefix sum of
``mix(code point) * B**position`` modulo 2**64 gives the polynomial hash of any
span as ``(prefix[end] - prefix[start]) * B**-start``, because an odd ``B`` is
invertible modulo 2**64. A gram's hash therefore does not depend on where it
stands nor on what else is in the batch.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_BASE = 0x9E3779B97F4A7C15
_BASE_INVERSE = pow(_BASE, -1, 2**64)
_WORD_SALT = 0xD1B54A32D192ED03
LINK = re.compile(r"(?:https?://|www\.)\S+")
HANDLE = re.compile(r"@\w+")
TOKEN = re.compile(r"\w+|[^\w\s]")

UInts = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class NgramSpec:
    """Which n-grams are taken and how many buckets they share.

    ``characters`` and ``words`` are inclusive ranges of n; ``(0, 0)`` takes none.
    ``buckets`` is a power of two.
    """

    buckets: int
    characters: tuple[int, int]
    words: tuple[int, int]

    def __post_init__(self) -> None:
        """Refuse a bucket count whose hash could not be cut by a shift."""
        if self.buckets < 2 or self.buckets & (self.buckets - 1):
            raise ValueError(f"buckets must be a power of two, not {self.buckets}")


@dataclass(frozen=True, slots=True)
class Bags:
    """One bag a text, laid end to end: what ``torch.nn.EmbeddingBag`` takes.

    Bag ``i`` is ``indices[offsets[i]:offsets[i + 1]]``, so ``offsets`` has one
    entry more than there are texts. The weights of a bag have Euclidean norm 1;
    a text without n-grams has an empty bag.
    """

    indices: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.int64]


def canonical(text: str) -> str:
    """Fold what says nothing about meaning: case, handles, links, HTML entities, spacing.

    >>> canonical("@Ada  see https://a.example/x &amp; SMILE!")
    '@ see http & smile !'
    >>> canonical("今天天气很好。")
    '今天天气很好 。'
    """
    if "&" in text:
        text = html.unescape(text)
    text = HANDLE.sub("@", LINK.sub(" http ", text))
    return " ".join(TOKEN.findall(text.lower()))


def bags(texts: Sequence[str], spec: NgramSpec) -> Bags:
    """Return the hashed n-grams of ``texts``, in order, weighted by 1 + ln(count).

    >>> found = bags(["ab", ""], NgramSpec(buckets=1 << 10, characters=(2, 3), words=(1, 1)))
    >>> found.offsets.tolist()  # " ab " holds " a", "ab", "b ", " ab", "ab " and the word "ab"
    [0, 6, 6]
    """
    folded = [canonical(text) for text in texts]
    lengths = np.array([len(text) + 2 if text else 0 for text in folded], dtype=np.int64)
    blob = "".join(f" {text} " for text in folded if text)
    codes = np.frombuffer(blob.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    rows = np.repeat(np.arange(len(folded), dtype=np.uint64), lengths)
    hashes, owners = _grams(codes, rows, spec)
    bits = _bits(spec)
    keys = np.sort((owners << bits) | _buckets(hashes, spec))
    starts = np.flatnonzero(np.concatenate([keys[:1] == keys[:1], keys[1:] != keys[:-1]]))
    counts = np.diff(starts, append=keys.size)
    unique = keys[starts]
    row_of = (unique >> bits).astype(np.int64)
    weights = 1.0 + np.log(counts)
    squares = np.bincount(row_of, weights=weights * weights, minlength=len(folded))
    weights = weights / np.sqrt(squares)[row_of]
    offsets = np.searchsorted(row_of, np.arange(len(folded) + 1))
    indices = (unique & np.uint64(spec.buckets - 1)).astype(np.int64)
    return Bags(indices, weights.astype(np.float32), offsets.astype(np.int64))


def gram_keys(
    padded: str, spec: NgramSpec
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Bucket, start and end of every n-gram of one canonical text between two spaces."""
    codes = np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    hashes, _ = _grams(codes, np.zeros(codes.size, dtype=np.uint64), spec)
    starts, ends = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for n in _sizes(spec.characters):
        starts.append(np.arange(max(0, codes.size - n + 1)))
        ends.append(starts[-1] + n)
    first, last = _words(codes)
    for n in _sizes(spec.words):
        if n > first.size:
            break
        starts.append(first[: first.size - n + 1])
        ends.append(last[n - 1 :])
    return (
        _buckets(hashes, spec).astype(np.int64),
        np.concatenate(starts),
        np.concatenate(ends),
    )


def _bits(spec: NgramSpec) -> np.uint64:
    return np.uint64(spec.buckets.bit_length() - 1)


def _buckets(hashes: UInts, spec: NgramSpec) -> UInts:
    return _mix(hashes) >> (np.uint64(64) - _bits(spec))


def _words(codes: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where words begin, and where they end."""
    space = codes == ord(" ")
    first = np.flatnonzero(space[:-1] & ~space[1:]) + 1
    return first, np.flatnonzero(~space[:-1] & space[1:]) + 1


def _grams(codes: npt.NDArray[np.uint32], rows: UInts, spec: NgramSpec) -> tuple[UInts, UInts]:
    """Hash of every n-gram and the row that owns it."""
    size = codes.size
    prefix = np.zeros(size + 1, dtype=np.uint64)
    np.cumsum(_mix(codes.astype(np.uint64) + np.uint64(1)) * _powers(_BASE, size), out=prefix[1:])
    inverse = _powers(_BASE_INVERSE, size)
    hashes: list[UInts] = []
    owners: list[UInts] = []
    for n in _sizes(spec.characters):
        if n > size:
            break
        whole = rows[: size - n + 1] == rows[n - 1 :]
        hashes.append(((prefix[n:] - prefix[: size - n + 1]) * inverse[: size - n + 1])[whole])
        owners.append(rows[: size - n + 1][whole])
    first, last = _words(codes)
    for n in _sizes(spec.words):
        if n > first.size:
            break
        start, end = first[: first.size - n + 1], last[n - 1 :]
        whole = rows[start] == rows[end - 1]
        start, end = start[whole], end[whole]
        hashes.append((prefix[end] - prefix[start]) * inverse[start] + np.uint64(_WORD_SALT))
        owners.append(rows[start])
    if not hashes:
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.uint64)
    return np.concatenate(hashes), np.concatenate(owners)


def _sizes(bounds: tuple[int, int]) -> range:
    low, high = bounds
    return range(max(low, 1), high + 1)


def _powers(base: int, count: int) -> UInts:
    """``base ** 0 … base ** (count - 1)`` modulo 2**64."""
    steps = np.full(count, base, dtype=np.uint64)
    steps[:1] = 1
    return np.cumprod(steps, dtype=np.uint64)


def _mix(values: UInts) -> UInts:
    """Spread every input bit over the output (the finaliser of splitmix64, Vigna 2015)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
