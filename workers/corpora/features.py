"""What is kept of a document to find it again: of each passage its terms, and its MinHash bands.

Neither holds any of the text: terms are hashes, of words or of two neighbouring characters
where a script writes no spaces.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lepton_tasks.nlp.sentences import Span, split_sentences
from workers.features.minhash import BANDS, band_keys
from workers.features.overlap import Token, tokens_of

KIND: Final = 1
"""Version of all of this: what is stored of another one is made anew."""
_PASSAGE: Final = 1_000
"""Characters of a passage at most, about; one of a script without spaces counts as two."""
_STEM: Final = 6
"""Letters of a word that count: `connected` is found by `connection`."""
_MOST_COUNTED: Final = 255

Terms = Counter[int]
Ints = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Features:
    """Of P passages: ``spans`` [P, 2], ``lengths`` [P] in terms, ``bands`` [P, BANDS].

    ``sizes`` [P] says how many of ``terms`` and of ``counts`` are each passage's.
    """

    spans: Ints
    lengths: Ints
    sizes: Ints
    bands: Ints
    terms: Ints
    counts: npt.NDArray[np.uint8]

    def dump(self) -> bytes:
        """Bytes as they are stored."""
        head = np.array([len(self.spans), len(self.terms)], dtype="<u4")
        parts = (head, self.spans, self.lengths, self.sizes, self.bands, self.terms, self.counts)
        return b"".join(np.ascontiguousarray(one).tobytes() for one in parts)

    @classmethod
    def load(cls, data: bytes) -> Features:
        """Inverse of :meth:`dump`."""
        passages, terms = np.frombuffer(data, "<u4", 2).tolist()
        at = 8

        def take(count: int, kind: str = "<u4") -> npt.NDArray[np.uint32]:
            nonlocal at
            found = np.frombuffer(data, kind, count, at)
            at += found.nbytes
            return found

        spans = take(2 * passages).reshape(passages, 2)
        lengths, sizes = take(passages), take(passages)
        bands = take(passages * BANDS).reshape(passages, BANDS)
        own = take(terms)
        return cls(spans, lengths, sizes, bands, own, take(terms, "u1").astype(np.uint8))


NO_FEATURES: Final = bytes(8)
"""Of a document without any passage."""


def features_of(text: str, simplified: Mapping[int, str]) -> Features:
    """Make the features of a document. The same text has the same ones everywhere."""
    spans = passages_of(text)
    found = [terms_of(tokens_of(text[start:end], simplified)) for start, end in spans]
    bands = [bands_of(text[start:end], simplified) for start, end in spans]
    return Features(
        np.array(spans, dtype="<u4"),
        np.array([sum(one.values()) for one in found], dtype="<u4"),
        np.array([len(one) for one in found], dtype="<u4"),
        np.stack(bands),
        np.array([term for one in found for term in one], dtype="<u4"),
        np.array(
            [min(count, _MOST_COUNTED) for one in found for count in one.values()], dtype="u1"
        ),
    )


def passages_of(text: str) -> list[Span]:
    """Cut a text into passages of whole sentences, at least one.

    >>> [end - start for start, end in passages_of("One sentence. " * 200)]
    [993, 993, 811]
    >>> passages_of("今天天气很好。"), passages_of(" ")
    ([(0, 7)], [(0, 1)])
    """
    passages: list[Span] = []
    room = 0
    for start, end in split_sentences(text):
        weight = _weight(text[start:end]) + 1
        if passages and weight <= room:
            passages[-1] = (passages[-1][0], end)
            room -= weight
        else:
            passages.append((start, end))
            room = _PASSAGE - weight
    return passages or [(0, len(text))]


def terms_of(tokens: Sequence[Token]) -> Terms:
    """Count the terms among ``tokens``, by their hashes.

    >>> same = [terms_of(tokens_of(text, {})) for text in ("Connections!", "connected")]
    >>> same[0] == same[1], len(terms_of(tokens_of("天气很好", {})))
    (True, 3)
    """
    found: Terms = Counter()
    last: Token | None = None
    paired = False
    for token in tokens:
        if token.weight == 1.0:
            if last is not None and not paired:
                found[_hash(last.folded)] += 1
            found[_hash(token.folded[:_STEM])] += 1
            last = None
            continue
        follows = last is not None and last.end == token.start
        if last is not None and follows:
            found[_hash(last.folded + token.folded)] += 1
        elif last is not None and not paired:
            found[_hash(last.folded)] += 1
        paired, last = follows, token
    if last is not None and not paired:
        found[_hash(last.folded)] += 1
    return found


def bands_of(text: str, simplified: Mapping[int, str]) -> Ints:
    """The MinHash bands of a passage [BANDS], each as one number."""
    return np.array([zlib.crc32(key) for key in band_keys(text, simplified)], dtype="<u4")


def _hash(term: str) -> int:
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))


def _weight(text: str) -> int:
    # Of a script that writes no spaces a character is about half a word.
    return len(text) + sum(1 for one in text if one >= "\u2e80")
