"""English words with their counts, and those that are one or two slips of a finger away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

UNKNOWN: Final = 0
EDGE: Final = 1
NUMBER: Final = 2
FIRST: Final = 3
"""Identifier of the first word; what is below stands for no word of the list."""

LONGEST: Final = 24
_STEPS: Final = 8
_B: Final = np.uint64(0x9E3779B97F4A7C15)
_B_INVERSE: Final = np.uint64(pow(int(_B), -1, 1 << 64))
_PARTS: Final = ("shared", "rest", "level")

Ints = npt.NDArray[np.int64]


class Lexicon:
    """Words in order of the alphabet; a word's identifier is its place plus ``FIRST``."""

    def __init__(self, words: Sequence[str], levels: npt.NDArray[np.uint8]) -> None:
        """``levels`` are logarithms of counts to the base of 2, in eighths."""
        self.words = tuple(words)
        self.levels = levels
        self._ids = {word: place + FIRST for place, word in enumerate(words)}
        padded = np.concatenate([np.zeros(FIRST), levels.astype(np.float32) / _STEPS])
        self.log_counts = (padded * np.log(2.0)).astype(np.float32)
        """Natural logarithms of counts by identifier, 0 where there is none."""
        self._hashes, self._owners = _index(self.words)

    @classmethod
    def of(cls, counts: Mapping[str, float]) -> Lexicon:
        """A lexicon of lower-case words, each of at most ``LONGEST`` characters of ASCII."""
        words = sorted(counts)
        values = np.array([max(1.0, counts[word]) for word in words])
        return cls(words, np.clip(np.rint(_STEPS * np.log2(values)), 0, 255).astype(np.uint8))

    def __len__(self) -> int:
        return len(self.words)

    def id_of(self, word: str) -> int:
        """Identifier of a lower-case word, ``UNKNOWN`` for one that is not in the list."""
        return self._ids.get(word, UNKNOWN)

    def word(self, identifier: int) -> str:
        """The word of an identifier, at least ``FIRST``."""
        return self.words[identifier - FIRST]

    def near(self, words: Sequence[str]) -> dict[str, list[str]]:
        """Other words of the list that differ from each of ``words`` by one edit, and a few by two.

        An edit puts in, leaves out or replaces a letter, or swaps two neighbours.

        >>> sorted(Lexicon.of({"the": 9, "then": 5, "tea": 3, "other": 1}).near(["teh"])["teh"])
        ['tea', 'the']
        """
        hashes, rows = _variants(words)
        left = np.searchsorted(self._hashes, hashes, side="left")
        right = np.searchsorted(self._hashes, hashes, side="right")
        sizes = right - left
        owners = np.repeat(rows, sizes)
        starts = np.repeat(left - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
        found = self._owners[np.arange(int(sizes.sum())) + starts]
        pairs = np.unique(owners.astype(np.int64) * (len(self.words) + 1) + found)
        near: dict[str, list[str]] = {word: [] for word in words}
        for pair in pairs.tolist():
            row, place = divmod(pair, len(self.words) + 1)
            if self.words[place] != words[row]:
                near[words[row]].append(self.words[place])
        return near

    def tensors(self, prefix: str) -> dict[str, torch.Tensor]:
        """What :meth:`read` takes: letters shared with the word before, and the rest."""
        shared, rest = bytearray(), bytearray()
        before = ""
        for word in self.words:
            same = 0
            while same < min(len(word), len(before)) and word[same] == before[same]:
                same += 1
            shared.append(same)
            rest += word[same:].encode("ascii") + b"\n"
            before = word
        arrays = (
            np.frombuffer(bytes(shared), dtype=np.uint8),
            np.frombuffer(bytes(rest), dtype=np.uint8),
            self.levels,
        )
        return {
            f"{prefix}.{part}": torch.from_numpy(array.copy())
            for part, array in zip(_PARTS, arrays, strict=True)
        }

    @classmethod
    def read(cls, tensors: Mapping[str, torch.Tensor], prefix: str) -> Lexicon:
        """A list as :meth:`tensors` wrote it.

        Raises:
            ValueError: a tensor is missing, or they do not belong together.
        """
        absent = [f"{prefix}.{part}" for part in _PARTS if f"{prefix}.{part}" not in tensors]
        if absent:
            raise ValueError(f"tensor {absent[0]} is missing")
        shared, rest, levels = (tensors[f"{prefix}.{part}"].numpy() for part in _PARTS)
        if any(one.dtype != np.uint8 or one.ndim != 1 for one in (shared, rest, levels)):
            raise ValueError(f"tensors {prefix}.* are of other types than a list of words has")
        parts = rest.tobytes().decode("ascii", "replace").split("\n")[:-1]
        if not len(parts) == len(shared) == len(levels) or not parts:
            raise ValueError(f"tensors {prefix}.* are of {len(parts)} words and {len(levels)}")
        words: list[str] = []
        before = ""
        for same, part in zip(shared.tolist(), parts, strict=True):
            before = before[:same] + part
            words.append(before)
        return cls(words, levels)


def _variants(words: Sequence[str]) -> tuple[npt.NDArray[np.uint64], Ints]:
    """Hashes of ``words`` and of each without one of its characters, and whose they are."""
    rows_by_length: dict[int, list[int]] = defaultdict(list)
    for row, word in enumerate(words):
        if 0 < len(word) <= LONGEST and word.isascii():
            rows_by_length[len(word)].append(row)
    hashes, owners = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int64)]
    for length, rows in rows_by_length.items():
        text = "".join(words[row] for row in rows).encode("ascii")
        letters = np.frombuffer(text, dtype=np.uint8).reshape(len(rows), length).astype(np.uint64)
        powers = np.cumprod(np.full(length, _B), dtype=np.uint64)
        terms = (letters + np.uint64(1)) * powers
        before = np.cumsum(terms, axis=1, dtype=np.uint64)
        whole = before[:, -1:]
        without = (before - terms) + (whole - before) * _B_INVERSE
        hashes += [whole.ravel(), without.ravel()]
        place = np.array(rows, dtype=np.int64)
        owners += [place, np.repeat(place, length)]
    return np.concatenate(hashes), np.concatenate(owners)


def _index(words: Sequence[str]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    hashes, owners = _variants(words)
    order = np.argsort(hashes, kind="stable")
    return hashes[order], owners[order].astype(np.int32)
