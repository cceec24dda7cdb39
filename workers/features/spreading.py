"""Sharing values of spans out among the characters and words of a text."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from lepton_tasks.nlp.offsets import Mapped
from workers.features.gram_spans import GramSpans
from workers.features.ngrams import HANDLE, LINK

Floats = npt.NDArray[np.float64]

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_WORD = rf"(?:(?![{_HAN}])\w)+"
_UNIT = re.compile(rf"{LINK.pattern}|{HANDLE.pattern}|[{_HAN}]|{_WORD}(?:['’]{_WORD})*|[^\w\s]")


def spread(values: Floats, starts: npt.NDArray[Any], ends: npt.NDArray[Any], text: str) -> Floats:
    """Share each value equally among the characters of its span: [characters], same sum.

    White space gets nothing; a span of nothing else gives to the characters beside it.
    ``text`` has at least one other character. Spans may reach over its ends.

    >>> spread(np.array([3.0, 1.0]), np.array([0, 2]), np.array([3, 3]), "a b").tolist()
    [1.5, 0.0, 2.5]
    """
    visible = np.array([not one.isspace() for one in text])
    rank = np.concatenate([[0], np.cumsum(visible)])
    low = rank[np.clip(starts, 0, len(text))]
    high = rank[np.clip(ends, 0, len(text))]
    alone = low == high
    low = np.where(alone, np.maximum(low - 1, 0), low)
    high = np.where(alone, np.minimum(high + 1, rank[-1]), high)
    change = np.zeros(rank[-1] + 1)
    share = values / (high - low)
    np.add.at(change, low, share)
    np.add.at(change, high, -share)
    found = np.zeros(len(text))
    found[visible] = np.cumsum(change)[:-1]
    return found


def spread_grams(values: Floats, grams: GramSpans, canonical: Mapped, text: str) -> Floats:
    """Share the values of n-grams among the characters of the text that ``canonical`` is of."""
    if not len(values):
        return np.zeros(len(text))
    own = spread(values, grams.starts, grams.ends, canonical.text)
    return spread(own, np.array(canonical.starts), np.array(canonical.ends), text)


def units(text: str) -> list[tuple[int, int]]:
    """Spans of the words of a cleaned text: all of it but white space.

    A Chinese character, a handle, a link and a sign are one each.

    >>> text = "@ada don't 说 https://a.b/c !"
    >>> [text[start:end] for start, end in units(text)]
    ['@ada', "don't", '说', 'https://a.b/c', '!']
    """
    return [match.span() for match in _UNIT.finditer(text)]
