"""Typos of Chinese: characters of the same sound or a like shape, and how likely each was meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from workers.editing.chinese_model import EDGE, PAD, WORD_LENGTHS, ChineseModel, Codes
from workers.editing.counts import Floats

SAME_TONE, SAME_SOUND, LIKE_SOUND, LIKE_SHAPE = range(4)
KINDS: Final = 4
"""Same syllable and tone, same syllable, a syllable that is taken for it, a part in common."""
FEATURES: Final = 20 + 2 * len(WORD_LENGTHS) + KINDS
_PARTS: Final = ("characters", "sizes", "meant")
_AT_ONCE: Final = 4_000
"""Characters whose candidates are looked at together: bounds the memory, changes no score."""

Ints = npt.NDArray[np.int64]


class Confusions:
    """What each character may have been typed for."""

    def __init__(self, characters: Codes, sizes: Ints, meant: Codes) -> None:
        """``sizes`` [characters, KINDS] count the parts of ``meant``, which stand in that order."""
        self.characters = characters
        self.meant = meant
        self.sizes = sizes
        totals = sizes.sum(axis=1)
        self._ends = np.cumsum(totals)
        self._totals = totals
        self.kinds = np.repeat(np.tile(np.arange(KINDS), len(sizes)), sizes.ravel())

    @classmethod
    def of(cls, table: Mapping[str, Mapping[str, int]]) -> Confusions:
        """For each character the characters that may be meant, with their kind."""
        sizes, meant = [], []
        for one in sorted(table):
            ranked = sorted((kind, other) for other, kind in table[one].items())
            sizes.append([sum(kind == row for kind, _ in ranked) for row in range(KINDS)])
            meant += [ord(other) for _, other in ranked]
        return cls(
            np.array([ord(one) for one in sorted(table)], dtype=np.uint64),
            np.array(sizes, dtype=np.int64).reshape(-1, KINDS),
            np.array(meant, dtype=np.uint64),
        )

    def of_places(self, codes: Codes, places: Ints) -> tuple[Ints, Ints]:
        """Every candidate of the characters at ``places``: the place, and its row here."""
        rows = np.minimum(np.searchsorted(self.characters, codes[places]), len(self._ends) - 1)
        there = self.characters[rows] == codes[places]
        rows, places = rows[there], places[there]
        totals = self._totals[rows]
        begins = self._ends[rows] - totals
        shifts = begins - np.concatenate([[0], np.cumsum(totals)[:-1]])[: len(begins)]
        return np.repeat(places, totals), np.arange(int(totals.sum())) + np.repeat(shifts, totals)

    def tensors(self, prefix: str) -> dict[str, torch.Tensor]:
        """What :meth:`read` takes."""
        arrays = (
            self.characters.astype(np.uint16),
            self.sizes.astype(np.uint8),
            self.meant.astype(np.uint16),
        )
        return {
            f"{prefix}.{part}": torch.from_numpy(array)
            for part, array in zip(_PARTS, arrays, strict=True)
        }

    @classmethod
    def read(cls, tensors: Mapping[str, torch.Tensor], prefix: str) -> Confusions:
        """A table as :meth:`tensors` wrote it.

        Raises:
            ValueError: a tensor is missing, or they do not belong together.
        """
        absent = [f"{prefix}.{part}" for part in _PARTS if f"{prefix}.{part}" not in tensors]
        if absent:
            raise ValueError(f"tensor {absent[0]} is missing")
        characters, sizes, meant = (tensors[f"{prefix}.{part}"].numpy() for part in _PARTS)
        kinds = [str(one.dtype) for one in (characters, sizes, meant)]
        if (
            kinds != ["uint16", "uint8", "uint16"]
            or sizes.shape != (len(characters), KINDS)
            or int(sizes.sum()) != len(meant)
            or not len(characters)
        ):
            raise ValueError(f"tensors {prefix}.* do not belong together")
        return cls(characters.astype(np.uint64), sizes.astype(np.int64), meant.astype(np.uint64))


@dataclass(frozen=True, slots=True)
class Meant:
    """Candidates of a text: places in its codes, what is meant there, a row of features each."""

    places: Ints
    codes: Codes
    rows: Floats


def candidates(
    model: ChineseModel, confusions: Confusions, codes: Codes, open_: npt.NDArray[np.bool_]
) -> Meant:
    """Candidates of all open places of ``codes`` that were seen beside one of their neighbours."""
    places = np.nonzero(open_)[0]
    parts = [
        _part(model, confusions, codes, places[start : start + _AT_ONCE])
        for start in range(0, max(1, len(places)), _AT_ONCE)
    ]
    return Meant(
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.rows for part in parts]),
    )


def _part(model: ChineseModel, confusions: Confusions, codes: Codes, where: Ints) -> Meant:
    at, found = confusions.of_places(codes, where)
    new, kinds = confusions.meant[found], confusions.kinds[found]
    left, right = model.log_grams(codes[at - 1], new), model.log_grams(new, codes[at + 1])
    kept = np.nonzero((left > 0) | (right > 0))[0]
    at, new, kinds, left, right = at[kept], new[kept], kinds[kept], left[kept], right[kept]
    here, back = np.unique(at, return_inverse=True)
    old = codes[here]
    columns = [
        *_window(model, codes, at, new),
        *(one[back] for one in _window(model, codes, here, old)),
        model.log_grams(codes[here - 1], old)[back],
        model.log_grams(old, codes[here + 1])[back],
        left,
        right,
        *model.words(codes, here, None)[:, back],
        *model.words(codes, at, new),
        model.log_count(new),
        model.log_count(old)[back],
        (codes[at - 1] <= EDGE),
        (codes[at + 1] <= EDGE),
        *(kinds == one for one in range(KINDS)),
    ]
    rows = np.stack([one.astype(np.float32) for one in columns], axis=1)
    return Meant(at, new, rows)


def _window(model: ChineseModel, codes: Codes, at: Ints, new: Codes) -> list[Floats]:
    """Probabilities and counts of the three windows of three around ``new`` at each place."""
    two, one, after, last = codes[at - 2], codes[at - 1], codes[at + 1], codes[at + 2]
    windows = ((two, one, new), (one, new, after), (new, after, last))
    return [
        part
        for window in windows
        for part in (model.log_probability(*window), model.log_grams(*window))
    ]


def best(places: Ints, scores: Floats, least: float, apart: int) -> Ints:
    """Rows of the best candidates: one a place, above ``least``, none near a better one.

    >>> best(np.array([4, 4, 5, 9]), np.array([1, 3, 2, 2], dtype=np.float32), 0.5, 2).tolist()
    [1, 3]
    """
    rows = np.nonzero(scores > least)[0]
    taken: dict[int, int] = {}
    for row in rows[np.argsort(-scores[rows], kind="stable")].tolist():
        place = int(places[row])
        if not any(near in taken for near in range(place - apart, place + apart + 1)):
            taken[place] = row
    return np.array([taken[place] for place in sorted(taken)], dtype=np.int64)


__all__ = ["FEATURES", "PAD", "Confusions", "Meant", "best", "candidates"]
