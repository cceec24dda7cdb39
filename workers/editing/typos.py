"""Typos of a text as changes: candidates, scored, and the few that are sure enough."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from workers.editing.chinese import Confusions, best, candidates
from workers.editing.chinese_model import PAD, ChineseModel, codes_of, word_keys
from workers.editing.draft import Change
from workers.editing.english import KNOWN, TOKEN, EnglishModel
from workers.editing.lexicon import FIRST, UNKNOWN
from workers.editing.scorer import Scorer
from workers.editing.wordings import TYPO
from workers.features.han import simplified_characters

Bools: TypeAlias = npt.NDArray[np.bool_]

_LOWER: Final = re.compile(r"[a-z]+(?:['’][a-z]+)*")
_STRANGE_SHARE: Final = 0.4
_STRANGE_LEAST: Final = 4
"""A text of which so many words, and so large a share, are unknown is in another language.

Each word counts once.
"""
_TERM: Final = 3
_TERM_DOUBT: Final = np.float32(1.5)
"""An unknown word that stands so often may be a term: how much less sure it is a typo."""
_RUN: Final = 3
"""Words in a row that make a stretch of English inside of a text in Chinese."""
_HAN_RUN: Final = 4
_APART: Final = 2


class EnglishTypos:
    """English words that were mistyped."""

    def __init__(self, model: EnglishModel, scorer: Scorer, threshold: float) -> None:
        """``threshold`` is the logit from which a correction is made."""
        self._model = model
        self._scorer = scorer
        self._threshold = threshold

    def known(self, word: str) -> bool:
        """Whether a lower-case word, or what it is the possessive of, is in the list."""
        return self._model.identifier(word) >= FIRST

    def changes(self, text: str, mask: bytearray, whole: bool) -> Iterator[Change]:
        """Corrections of lower-case words that ``mask`` leaves open.

        Unless the ``whole`` text is in English, only words in a stretch of it are looked at.
        """
        matches = list(TOKEN.finditer(text))
        tokens = [match[0].replace("’", "'") for match in matches]
        open_ = self._open(text, mask, matches, tokens, whole)
        if not any(open_):
            return
        found = self._model.candidates(tokens, open_)
        if not found.after:
            return
        scores = self._scorer.logits(found.rows)
        often = Counter(tokens)
        terms = [often[tokens[place]] >= _TERM for place in found.places.tolist()]
        unknown = found.rows[:, KNOWN] == 0
        scores = scores - np.where(np.array(terms) & unknown, _TERM_DOUBT, np.float32(0))
        for row in best(found.places, scores, self._threshold, 0).tolist():
            match = matches[int(found.places[row])]
            score = 1 / (1 + np.exp(-float(scores[row])))
            yield Change(*match.span(), found.after[row], TYPO, round(float(score), 4))

    def _open(
        self,
        text: str,
        mask: bytearray,
        matches: Sequence[re.Match[str]],
        tokens: Sequence[str],
        whole: bool,
    ) -> list[bool]:
        lower = [_LOWER.fullmatch(token) is not None for token in tokens]
        words = {token for token, is_lower in zip(tokens, lower, strict=True) if is_lower}
        strange = sum(self._model.identifier(word) == UNKNOWN for word in words)
        if strange >= _STRANGE_LEAST and strange > _STRANGE_SHARE * len(words):
            return [False] * len(tokens)
        stretch = [True] * len(tokens) if whole else _stretches(tokens)
        return [
            is_lower
            and inside
            and len(token) > 1
            and mask.find(1, match.start(), match.end()) < 0
            and _stands_free(text, match)
            for token, is_lower, inside, match in zip(tokens, lower, stretch, matches, strict=True)
        ]


def _stretches(tokens: Sequence[str]) -> list[bool]:
    """Which tokens are in a run of Latin words."""
    inside = [False] * len(tokens)
    start = 0
    for place in range(len(tokens) + 1):
        if place < len(tokens) and tokens[place][0].isascii() and tokens[place][0].isalpha():
            continue
        if place - start >= _RUN:
            inside[start:place] = [True] * (place - start)
        start = place + 1
    return inside


def _stands_free(text: str, match: re.Match[str]) -> bool:
    """Whether a word touches nothing that makes it a part of something else."""
    before = text[match.start() - 1] if match.start() else " "
    after = text[match.end()] if match.end() < len(text) else " "
    beyond = text[match.end() + 1 : match.end() + 2]
    if before.isalnum() or after.isalnum() or before in "-_/\\@#$.&+=~^" or after in "-_/\\@=+^~(":
        return False
    return not (after == "." and beyond.isalnum() and not beyond.isupper())


class ChineseTypos:
    """Chinese characters that were mistyped."""

    def __init__(
        self, model: ChineseModel, confusions: Confusions, scorer: Scorer, threshold: float
    ) -> None:
        """``threshold`` is the logit from which a correction is made."""
        self._model = model
        self._confusions = confusions
        self._scorer = scorer
        self._threshold = threshold

    def is_pair(self, pair: str) -> bool:
        """Whether two characters are a word."""
        codes = codes_of(pair.translate(simplified_characters()))[PAD:-PAD]
        return bool(self._model.word_counts(word_keys([codes[:1], codes[1:]]))[0] > 0)

    def changes(self, text: str, mask: bytearray, whole: bool) -> Iterator[Change]:
        """Corrections of characters that ``mask`` leaves open, in the script of the text.

        Unless the ``whole`` text is in Chinese, only longer runs of Chinese are looked at.
        """
        simple = text.translate(simplified_characters())
        codes = codes_of(simple)
        open_ = codes > PAD
        open_[PAD:-PAD] &= np.frombuffer(bytes(mask), dtype=np.uint8) == 0
        if not whole:
            open_ &= _long_runs(open_)
        if not open_.any():
            return
        found = candidates(self._model, self._confusions, codes, open_)
        if not len(found.places):
            return
        scores = self._scorer.logits(found.rows)
        chosen = best(found.places, scores, self._threshold, _APART)
        places = [int(found.places[row]) - PAD for row in chosen.tolist()]
        afters = [chr(int(found.codes[row])) for row in chosen.tolist()]
        if simple != text:
            afters = _traditional(simple, places, afters)
        for row, place, after in zip(chosen.tolist(), places, afters, strict=True):
            score = 1 / (1 + np.exp(-float(scores[row])))
            yield Change(place, place + 1, after, TYPO, round(float(score), 4))


def _long_runs(open_: Bools) -> Bools:
    """Which open places are in a run of at least ``_HAN_RUN``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], open_.astype(np.int8), [0]])))
    kept = np.zeros(len(open_), dtype=np.bool_)
    for start, end in edges.reshape(-1, 2).tolist():
        kept[start:end] = end - start >= _HAN_RUN
    return kept


def _traditional(simple: str, places: Sequence[int], afters: Sequence[str]) -> list[str]:
    """The corrections as the traditional script writes them where they stand."""
    from opencc import OpenCC  # a dictionary that most texts do without

    convert = OpenCC("s2t").convert
    found = []
    for place, after in zip(places, afters, strict=True):
        left, right = simple[max(0, place - 4) : place], simple[place + 1 : place + 5]
        whole: str = convert(left + after + right)
        same = len(whole) == len(left) + 1 + len(right)
        found.append(whole[len(left)] if same else after)
    return found
