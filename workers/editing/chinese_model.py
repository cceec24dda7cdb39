"""How likely Chinese characters are beside one another: n-grams up to three, and words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from workers.editing.counts import Floats, HashedCounts, Keys

Codes = npt.NDArray[np.uint64]
"""Code points, or the signs below for what is no Han character."""

EDGE: Final = 1
DIGITS: Final = 2
LETTERS: Final = 3
PAD: Final = 4
"""Signs that stand at both sides of a text, so that windows never leave it."""
WORD_LENGTHS: Final = (2, 3, 4)

_BITS: Final = np.uint64(21)
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_WORD: Final = np.uint64(1 << 63)
_MASS_BIGRAM: Final = 10.0
_MASS_TRIGRAM: Final = 4.0


def codes_of(text: str) -> Codes:
    """One code a character of ``text``, between ``PAD`` edges, all else than Han by its kind.

    >>> [int(one) for one in codes_of("用A4。")[PAD:-PAD]] == [ord("用"), LETTERS, DIGITS, EDGE]
    True
    """
    found = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    codes = np.full(len(found) + 2 * PAD, EDGE, dtype=np.uint64)
    han = ((found >= 0x4E00) & (found <= 0x9FFF)) | ((found >= 0x3400) & (found <= 0x4DBF))
    digits = (found >= 0x30) & (found <= 0x39)
    letters = ((found >= 0x41) & (found <= 0x5A)) | ((found >= 0x61) & (found <= 0x7A))
    inner = codes[PAD : PAD + len(found)]
    inner[han] = found[han]
    inner[digits] = DIGITS
    inner[letters] = LETTERS
    return codes


def gram_keys(*parts: Codes) -> Keys:
    """Keys of up to three codes in a row, one array a place."""
    keys = parts[0].astype(np.uint64)
    for part in parts[1:]:
        keys = (keys << _BITS) | part
    return keys


def word_keys(parts: Iterable[Codes]) -> Keys:
    """Keys of words of up to four codes, other than those of n-grams."""
    keys: Keys | None = None
    for part in parts:
        keys = part if keys is None else keys * _FACTOR + part
    assert keys is not None  # noqa: S101 - callers give at least two codes
    return keys | _WORD


class ChineseModel:
    """Probabilities and words out of one table of counts."""

    def __init__(self, counts: HashedCounts, total: float) -> None:
        """``total`` is the sum of all counts of single characters."""
        self._counts = counts
        self._total = np.float32(total)

    def log_probability(self, first: Codes, second: Codes, third: Codes) -> Floats:
        """Natural logarithm of how likely ``third`` is after ``first`` and ``second``.

        Counts of three, of two and of one, each smoothed by the next.
        """
        get = self._counts.get
        one = (get(third) + np.float32(0.5)) / self._total
        before = get(second)
        two = (get(gram_keys(second, third)) + _MASS_BIGRAM * one) / (before + _MASS_BIGRAM)
        pair = get(gram_keys(first, second))
        three = get(gram_keys(first, second, third))
        pair = np.maximum(pair, three)
        found: Floats = np.log((three + _MASS_TRIGRAM * two) / (pair + _MASS_TRIGRAM))
        return found.astype(np.float32)

    def log_count(self, codes: Codes) -> Floats:
        """Natural logarithm of a character's count, at least 0."""
        return np.log1p(self._counts.get(codes))

    def log_grams(self, *parts: Codes) -> Floats:
        """Natural logarithm of one and the count of two or three characters in a row."""
        return np.log1p(self._counts.get(gram_keys(*parts)))

    def word_counts(self, keys: Keys) -> Floats:
        """Counts of words by their ``word_keys``."""
        return self._counts.get(keys)

    def words(self, codes: Codes, places: npt.NDArray[np.int64], new: Codes | None) -> Floats:
        """Logarithm of the most frequent word of each length over each place: [lengths, places].

        ``new`` are codes that stand at the places instead; 0 where there is no word.
        """
        best = np.zeros((len(WORD_LENGTHS), len(places)), dtype=np.float32)
        for row, length in enumerate(WORD_LENGTHS):
            for before in range(length):
                parts = [codes[places - before + step] for step in range(length)]
                if new is not None:
                    parts[before] = new
                np.maximum(best[row], np.log1p(self._counts.get(word_keys(parts))), out=best[row])
        return best
