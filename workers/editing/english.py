"""Typos of English: words that a slip of the finger may have made, and how likely each is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from workers.editing import slips
from workers.editing.counts import Floats, HashedCounts
from workers.editing.lexicon import EDGE, FIRST, LONGEST, NUMBER, UNKNOWN, Lexicon

TOKEN: Final = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*|\d+(?:[.,:]\d+)*|[^\sA-Za-z\d]")
"""A word, a number, or a mark."""
FEATURES: Final = 15 + slips.KINDS
KNOWN: Final = 9
"""Column that says whether a word, as it stands, is in the list."""
_MOST: Final = 12
"""Candidates of a word that are looked at, the most frequent first."""
_COMMON: Final = np.float32(np.log(8.0))
"""A word that may stand for another known word occurs at least as often."""
_SHIFT: Final = np.uint64(20)

SOUNDS: Final = (
    ("their", "there", "they're"),
    ("your", "you're"),
    ("its", "it's"),
    ("then", "than"),
    ("to", "too"),
    ("lose", "loose"),
    ("affect", "effect"),
    ("whose", "who's"),
    ("weather", "whether"),
    ("hear", "here"),
    ("were", "where", "we're"),
    ("quiet", "quite"),
    ("accept", "except"),
    ("advice", "advise"),
    ("passed", "past"),
    ("brake", "break"),
    ("piece", "peace"),
    ("principal", "principle"),
)
"""Words that are taken for one another, whatever their letters."""
_SOUND: Final[Mapping[str, tuple[str, ...]]] = {
    word: tuple(other for other in group if other != word) for group in SOUNDS for word in group
}


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may have been meant: ``after`` for the tokens ``places``, a row of ``rows`` each."""

    places: npt.NDArray[np.int64]
    after: list[str]
    rows: Floats


class EnglishModel:
    """A list of words and the counts of pairs of them."""

    def __init__(self, lexicon: Lexicon, pairs: HashedCounts) -> None:
        self.lexicon = lexicon
        self.pairs = pairs

    def pair_counts(self, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> Floats:
        """Logarithm of one and the count of each pair of identifiers."""
        return np.log1p(self.pairs.get(pair_keys(left, right)))

    def identifiers(self, tokens: Sequence[str]) -> npt.NDArray[np.int64]:
        """One identifier a token, case set aside, with an edge at both ends."""
        return np.array([EDGE, *(self.identifier(one) for one in tokens), EDGE], dtype=np.int64)

    def identifier(self, token: str) -> int:
        """Identifier of a word (of its base, for a possessive), a number or a mark."""
        if not token[0].isalpha() or not token[0].isascii():
            return NUMBER if token[0].isdigit() else EDGE
        low = token.lower().replace("’", "'")
        return self.lexicon.id_of(low) or self.lexicon.id_of(low.removesuffix("'s"))

    def candidates(self, tokens: Sequence[str], open_: Sequence[bool]) -> Candidates:
        """What every open token may be a slip for; tokens that are not open only stand around.

        Open tokens are lower-case words. What is known is only taken for something
        more frequent that fits with a word beside it.
        """
        ids = self.identifiers(tokens)
        places: list[int] = []
        after: list[str] = []
        news: list[tuple[int, int, int, int]] = []
        words = sorted({one for one, may in zip(tokens, open_, strict=True) if may})
        options = self._options(words)
        for place, (token, may) in enumerate(zip(tokens, open_, strict=True)):
            for meant, first, last, kind in options[token] if may else ():
                places.append(place)
                after.append(meant)
                news.append((first, last, kind, len(token)))
        rows = self._rows(ids, np.array(places, dtype=np.int64), news)
        at = np.array(places, dtype=np.int64)
        known = ids[at + 1] >= FIRST
        fits = ~known | (rows[:, 2] > 0) | (rows[:, 3] > 0)
        kept = np.nonzero(fits)[0]
        return Candidates(at[kept], [after[one] for one in kept.tolist()], rows[kept])

    def _options(self, words: Sequence[str]) -> dict[str, list[tuple[str, int, int, int]]]:
        """For each word: what may be meant, its first and last identifier, the kind of slip."""
        near = self.lexicon.near([word for word in words if 2 <= len(word) <= LONGEST])
        found: dict[str, list[tuple[str, int, int, int]]] = {}
        for word in words:
            known = self.identifier(word) != UNKNOWN
            floor = _COMMON if known else np.float32(-1)
            ranked = []
            for other in near.get(word, ()):
                number = self.lexicon.id_of(other)
                count = float(self.lexicon.log_counts[number])
                if count > floor:
                    kind = slips.slip_of(word, other)
                    if not (kind == slips.TWO and (known or len(word) < 5)):
                        ranked.append((kind == slips.TWO, -count, other, number, kind))
            ranked.sort()
            options = [(other, one, one, kind) for _, _, other, one, kind in ranked[:_MOST]]
            sounds = _SOUND.get(word, ())
            options = [one for one in options if one[0] not in sounds]
            for other in sounds:
                if number := self.lexicon.id_of(other):
                    options.append((other, number, number, slips.SOUND))
            found[word] = options if known else options + self._splits(word)
        return found

    def _splits(self, word: str) -> list[tuple[str, int, int, int]]:
        """Two words that were written as one, the likeliest few."""
        found = []
        for at in range(1, len(word)) if len(word) <= LONGEST else ():
            left, right = self.lexicon.id_of(word[:at]), self.lexicon.id_of(word[at:])
            if (
                left
                and right
                and (at > 1 or word[0] in "ai")
                and (len(word) - at > 1 or word[-1] in "ai")
            ):
                counts = self.lexicon.log_counts
                least = float(min(counts[left], counts[right]))
                found.append((-least, f"{word[:at]} {word[at:]}", left, right))
        found.sort()
        return [(meant, left, right, slips.SPLIT) for _, meant, left, right in found[:3]]

    def _rows(
        self,
        ids: npt.NDArray[np.int64],
        at: npt.NDArray[np.int64],
        news: Sequence[tuple[int, int, int, int]],
    ) -> Floats:
        """Features: how often words and pairs occur, before and after, and the slip."""
        if not len(at):
            return np.zeros((0, FEATURES), dtype=np.float32)
        first, last, kind, size = (np.array(one, dtype=np.int64) for one in zip(*news, strict=True))
        old, left, right = ids[at + 1], ids[at], ids[at + 2]
        counts = self.lexicon.log_counts
        columns = [
            np.minimum(counts[first], counts[last]),
            counts[old],
            self.pair_counts(left, first),
            self.pair_counts(last, right),
            self.pair_counts(left, old),
            self.pair_counts(old, right),
            np.where(first == last, np.float32(0), self.pair_counts(first, last)),
            counts[left],
            counts[right],
            old >= FIRST,
            left == EDGE,
            right == EDGE,
            left == UNKNOWN,
            right == UNKNOWN,
            size,
            *(kind == one for one in range(slips.KINDS)),
        ]
        return np.stack([column.astype(np.float32) for column in columns], axis=1)


def pair_keys(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Keys of pairs of identifiers."""
    return (left.astype(np.uint64) << _SHIFT) | right.astype(np.uint64)
