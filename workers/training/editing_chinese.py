"""What Chinese typos are learnt from: counts of characters and words, and typos made by chance."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from workers.editing.chinese import (
    FEATURES,
    LIKE_SHAPE,
    LIKE_SOUND,
    PAD,
    SAME_SOUND,
    SAME_TONE,
    Confusions,
    candidates,
)
from workers.editing.chinese_model import WORD_LENGTHS, ChineseModel, codes_of, word_keys
from workers.editing.counts import Floats, HashedCounts

Text = tuple[str, float]
"""A text in simplified characters, and what one occurrence in it weighs."""
Table = Mapping[str, Mapping[str, int]]

_PER_COUNT: Final = 0.03
"""What one occurrence in jieba's dictionary weighs beside one in our texts."""
_LEAST_WORD: Final = 8
_LEAST_PAIR: Final = 1.4
_LEAST_TRIPLE: Final = 2.4
_CHARACTERS: Final = 4_500
_MOST: Final = {SAME_SOUND: 16, LIKE_SOUND: 5, LIKE_SHAPE: 6}
_FOLDS: Final = 4
_TYPOS: Final = 0.65
_ROUNDS: Final = 2
_TEXTS_AT_ONCE: Final = 400
_EASY: Final = 0.15
"""Share of hopeless candidates that are learnt from, all else being too many."""


def make_model(
    texts: Iterable[Text], dictionary: Iterable[tuple[str, int]]
) -> tuple[ChineseModel, HashedCounts, float, dict[str, float]]:
    """The model, its table and total, and how often each character occurs."""
    counts: dict[int, float] = defaultdict(float)
    for text, weight in texts:
        codes = [int(one) for one in codes_of(text)[PAD - 2 : -PAD + 1]]
        for first, second, third in zip(codes, codes[1:], codes[2:], strict=False):
            counts[third] += weight
            counts[(second << 21) | third] += weight
            counts[(((first << 21) | second) << 21) | third] += weight
    words: dict[str, int] = {}
    for word, count in dictionary:
        codes = [ord(one) for one in word]
        weight = count * _PER_COUNT
        for place, code in enumerate(codes):
            counts[code] += weight
            if place > 0:
                counts[(codes[place - 1] << 21) | code] += weight
            if place > 1:
                counts[(((codes[place - 2] << 21) | codes[place - 1]) << 21) | code] += weight
        if len(word) in WORD_LENGTHS and count >= _LEAST_WORD:
            words[word] = count
    total = sum(count for key, count in counts.items() if key < 1 << 21)
    least = ((1 << 21, 1.0), (1 << 42, _LEAST_PAIR), (1 << 63, _LEAST_TRIPLE))
    kept = {
        key: count
        for key, count in counts.items()
        if count >= next(enough for limit, enough in least if key < limit)
    }
    for length in WORD_LENGTHS:
        own = [word for word in words if len(word) == length]
        letters = np.array([[ord(one) for one in word] for word in own], dtype=np.uint64)
        keys = word_keys(letters.reshape(len(own), length).T)
        kept.update(zip(keys.tolist(), (float(words[word]) for word in own), strict=True))
    table = HashedCounts.of(kept)
    frequencies = {chr(key): count for key, count in counts.items() if 0x4E00 <= key <= 0x9FFF}
    return ChineseModel(table, total), table, total, frequencies


def make_table(
    frequencies: Mapping[str, float],
    readings: Callable[[str], list[str]],
    parts: Callable[[str], list[str] | None],
) -> dict[str, dict[str, int]]:
    """What each frequent character may be typed for: by its ``readings``, or by its ``parts``."""
    often = sorted(frequencies, key=lambda one: (-frequencies[one], one))[:_CHARACTERS]
    sounds: dict[str, list[str]] = defaultdict(list)
    likes: dict[str, list[str]] = defaultdict(list)
    shapes: dict[str, list[str]] = defaultdict(list)
    for one in often:
        for syllable in dict.fromkeys(map(_toneless, readings(one))):
            sounds[syllable].append(one)
            likes[blurred(syllable)].append(one)
        if (pair := parts(one)) is not None:
            shapes[pair[1]].append(one)
    table = {}
    for one in often:
        own = [_toneless(syllable) for syllable in readings(one)]
        same = [other for syllable in own for other in sounds[syllable]]
        like = [other for syllable in own for other in likes[blurred(syllable)]]
        pair = parts(one)
        shape = [*shapes[one], *((*shapes[pair[1]], pair[1]) if pair else ())]
        found: dict[str, int] = {}
        for kind, others in ((SAME_SOUND, same), (LIKE_SOUND, like), (LIKE_SHAPE, shape)):
            fresh = {other for other in others if other != one and other not in found}
            known = [other for other in fresh if other in frequencies]
            ranked = sorted(known, key=lambda other: (-frequencies[other], other))
            found.update(dict.fromkeys(ranked[: _MOST[kind]], kind))
        for other in found:
            if found[other] == SAME_SOUND and set(readings(one)) & set(readings(other)):
                found[other] = SAME_TONE
        table[one] = found
    return table


def make_examples(
    texts: Sequence[Text],
    more: Sequence[Text],
    dictionary: Sequence[tuple[str, int]],
    table: Table,
    frequencies: Mapping[str, float],
    dice: random.Random,
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Features of candidates of texts with a typo each, or none, and which of them was meant.

    No text is scored by counts that it is part of; ``more`` texts are only counted.
    """
    confusions = Confusions.of(table)
    rows, truth = [np.zeros((0, FEATURES), dtype=np.float32)], [np.zeros(0, dtype=np.bool_)]
    for fold in range(_FOLDS):
        rest = [one for place, one in enumerate(texts) if place % _FOLDS != fold]
        model = make_model([*rest, *more], dictionary)[0]
        held = [text for text, _ in texts[fold::_FOLDS]]
        for _ in range(_ROUNDS):
            for start in range(0, len(held), _TEXTS_AT_ONCE):
                part = held[start : start + _TEXTS_AT_ONCE]
                found, right = _examples(model, confusions, part, table, frequencies, dice)
                rows.append(found)
                truth.append(right)
    return np.concatenate(rows), np.concatenate(truth)


def _examples(
    model: ChineseModel,
    confusions: Confusions,
    texts: Sequence[str],
    table: Table,
    frequencies: Mapping[str, float],
    dice: random.Random,
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    codes, meant, at = [], {}, 0
    for text in texts:
        made = mistyped(text, table, frequencies, dice) if dice.random() < _TYPOS else None
        if made is not None:
            place, text = made[0], made[2]
            meant[at + PAD + place] = ord(made[1])
        codes.append(codes_of(text))
        at += len(codes[-1])
    joined = np.concatenate(codes)
    found = candidates(model, confusions, joined, joined > PAD)
    right = np.array(
        [
            meant.get(place) == code
            for place, code in zip(found.places.tolist(), found.codes.tolist(), strict=True)
        ],
        dtype=np.bool_,
    )
    gain = found.rows[:, 0:6:2].sum(axis=1) - found.rows[:, 6:12:2].sum(axis=1)
    luck = np.array([dice.random() < _EASY for _ in range(len(right))], dtype=np.bool_)
    kept = right | (gain > -2) | luck
    return found.rows[kept], right[kept]


def mistyped(
    text: str, table: Table, frequencies: Mapping[str, float], dice: random.Random
) -> tuple[int, str, str] | None:
    """Put one wrong character into a text: where, what was meant, the text; or None."""
    places = [place for place, one in enumerate(text) if table.get(one)]
    if not places:
        return None
    place = dice.choice(places)
    others = sorted(table[text[place]].items())
    shares = [
        frequencies[other] ** 0.5 * (1.0 if kind in (SAME_TONE, SAME_SOUND) else 0.6)
        for other, kind in others
    ]
    wrong = dice.choices(others, shares)[0][0]
    return place, text[place], text[:place] + wrong + text[place + 1 :]


def blurred(syllable: str) -> str:
    """A syllable as those hear it who do not tell some sounds apart.

    >>> blurred("sheng") == blurred("chen"), blurred("ni") == blurred("li")
    (True, True)
    """
    syllable = re.sub("^[zcs]h", "Z", syllable)
    return re.sub("^n(?=.)", "l", re.sub("ng$", "n", syllable))


def _toneless(syllable: str) -> str:
    return syllable.rstrip("12345")
