"""Where the hashed n-grams of one text stand in it.

Slower than :func:`workers.features.ngrams.bags`, whose features these are.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lepton_tasks.nlp.offsets import Mapped
from workers.features.ngrams import HANDLE, LINK, TOKEN, NgramSpec, gram_keys

_ENTITY = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)")
"""What ``html.unescape`` looks at."""


@dataclass(frozen=True, slots=True)
class GramSpans:
    """Every occurrence of every n-gram of one text, arrays of one length.

    ``buckets`` are theirs, and ``weights`` what each adds to its bucket: the occurrences in
    a bucket share the bag's weight equally. ``starts`` and ``ends`` are places in the
    canonical text; the space that is put around it counts as at most one character before
    its beginning (-1) and one after its end.
    """

    buckets: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]


def canonical_mapped(text: str) -> Mapped:
    """As ``canonical``, with the place in ``text`` that each character came from.

    >>> found = canonical_mapped("@Ada &amp; Bob!")
    >>> found.text, found.span(0, 1), found.span(2, 3), found.span(8, 9)
    ('@ & bob !', (0, 4), (5, 10), (14, 15))
    """
    found = Mapped.of(text).sub(_ENTITY, html.unescape)
    found = found.sub(LINK, lambda _: " http ").sub(HANDLE, lambda _: "@")
    found = _lower(found)
    pieces = [match.span() for match in TOKEN.finditer(found.text)]
    starts: list[int] = []
    ends: list[int] = []
    for start, end in pieces:
        if ends:  # the space between two tokens came from what stands between them
            starts.append(min(ends[-1], found.starts[start]))
            ends.append(max(ends[-1], found.starts[start]))
        starts += found.starts[start:end]
        ends += found.ends[start:end]
    return Mapped(" ".join(found.text[start:end] for start, end in pieces), (*starts,), (*ends,))


def gram_spans(canonical: str, spec: NgramSpec) -> GramSpans:
    """Return the n-grams of a canonical text with their places.

    >>> spec = NgramSpec(buckets=1 << 10, characters=(0, 0), words=(1, 2))
    >>> found = gram_spans("good day", spec)
    >>> list(zip(found.starts.tolist(), found.ends.tolist()))
    [(0, 4), (5, 8), (0, 8)]
    """
    if not canonical:
        none = np.zeros(0, dtype=np.int64)
        return GramSpans(none, np.zeros(0), none, none)
    buckets, starts, ends = gram_keys(f" {canonical} ", spec)
    unique, which, counts = np.unique(buckets, return_inverse=True, return_counts=True)
    weights = 1.0 + np.log(counts)
    weights /= np.sqrt(np.sum(weights * weights)) if len(unique) else 1.0
    return GramSpans(buckets, (weights / counts)[which], starts - 1, ends - 1)


def _lower(mapped: Mapped) -> Mapped:
    """In small letters; one may become two."""
    sizes = [len(one.lower()) for one in mapped.text]
    return Mapped(
        mapped.text.lower(),
        tuple(np.repeat(np.array(mapped.starts, dtype=np.int64), sizes).tolist()),
        tuple(np.repeat(np.array(mapped.ends, dtype=np.int64), sizes).tolist()),
    )
