"""The words of a sentence as a model of answer spans sees them.

A span's score is a sum over its borders and its words, so all spans of a sentence are
scored at once: :func:`span_scores`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from lepton_tasks.nlp.clean import clean_text
from workers.features.question_kinds import KINDS, question_kind
from workers.features.questions import term_pairs, terms

Floats = npt.NDArray[np.float64]

ROLES: Final = ("before", "start", "inside", "end", "after")
"""Where a word can stand to a span."""
SHAPES: Final = (
    "any",
    "edge",
    "number",
    "year",
    "capital",
    "capitals",
    "small",
    "Han",
    "comma",
    "stop",
    "quote open",
    "quote close",
    "bracket open",
    "bracket close",
    "dash",
    "other sign",
    "preposition",
    "article",
    "and",
    "to be",
    "pronoun",
    "month",
    "unit",
    "asked",
    "near asked left",
    "near asked right",
    "far from asked",
    "function",
)
"""What is known of a word beside which word it is."""
BUCKETS: Final = 1 << 10
LENGTHS: Final = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30)
"""Words of a span up to which each length class goes; longer ones are never an answer."""
MOST_WORDS: Final = LENGTHS[-1]

_TOKEN: Final = re.compile(
    r"[0-9０-９]+(?:[.,][0-9０-９]+)*|[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]"
    r"|[^\W\d_\u3400-\u9fff\uf900-\ufaff]+(?:['’-][^\W\d_\u3400-\u9fff\uf900-\ufaff]+)*|\S"
)
_YEAR: Final = re.compile(r"(?:1\d|20)\d\d")
_CLASSES: Final[Mapping[str, str]] = {
    "comma": ", ， 、 ; ； : ：",
    "stop": ". 。 ! ！ ? ？ …",
    "quote open": "“ ‘ 「 『 《 «",
    "quote close": '” ’ 」 』 》 » "',
    "bracket open": "( （ [ 【",
    "bracket close": ") ） ] 】",
    "dash": "- – — ·",
    "preposition": "in on at by of for from to with as into during after before 在 于 由 从 以 "
    "为 被",
    "article": "the a an",
    "and": "and or but 和 与 及 或 而",
    "to be": "is are was were be been has have had 是 有 称 叫",
    "pronoun": "he she it they his her its their that which who 他 她 其 该 此 这 那",
    "month": "january february march april may june july august september october november "
    "december",
    "unit": "percent % million billion thousand hundred years miles people km 年 月 日 个 人 名 米 "
    "万 亿 元 次 种 座 岁 公 里 % 时 分",
    "function": "的 了 着 过 之 也 就 都 等 并 且 不",
}
_SHAPE_OF_WORD: Final[Mapping[str, tuple[int, ...]]] = {
    word: tuple(SHAPES.index(name) for name, other in _CLASSES.items() if word in other.split())
    for words in _CLASSES.values()
    for word in words.split()
}
_NEAR: Final = 3


class Word(NamedTuple):
    """A word of a sentence, or a Han character, or a sign, and where it stands there."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence's words, with one more before and after them.

    ``shapes`` [words + 2, len(SHAPES)] are 0 or 1, ``buckets`` [words + 2] say which word
    it is. ``kind`` is that of the question.
    """

    words: tuple[Word, ...]
    shapes: npt.NDArray[np.float32]
    buckets: npt.NDArray[np.int64]
    kind: int


@dataclass(frozen=True, slots=True)
class SpanWeights:
    """``shapes`` [kinds + 1, roles, shapes], those of every kind of question last.

    ``words`` [roles, buckets]; ``lengths`` [kinds + 1, length classes].
    """

    shapes: Floats
    words: Floats
    lengths: Floats


def split_words(text: str) -> tuple[Word, ...]:
    """Words, Han characters and signs of ``text``.

    >>> [word.text for word in split_words("In 1,904 图书 opened (U.S.)")]
    ['In', '1,904', '图', '书', 'opened', '(', 'U', '.', 'S', '.', ')']
    """
    return tuple(Word(*one.span(), one[0]) for one in _TOKEN.finditer(text))


def sentence_words(
    question: str, sentence: str, chinese: bool, simplified: Mapping[int, str]
) -> Words:
    """Describe the words of ``sentence``, as it was sent, beside a cleaned ``question``."""
    words = split_words(sentence)
    folded = [clean_text(word.text).translate(simplified) for word in words]
    asked = _asked(question, folded, chinese)
    shapes = np.zeros((len(words) + 2, len(SHAPES)), dtype=np.float32)
    buckets = np.zeros(len(words) + 2, dtype=np.int64)
    shapes[:, 0] = 1.0
    shapes[[0, -1], SHAPES.index("edge")] = 1.0
    places = np.flatnonzero(asked)
    for at, word in enumerate(folded):
        near = places[np.abs(places - at) <= _NEAR] - at
        for shape in _shapes(word):
            shapes[at + 1, shape] = 1.0
        shapes[at + 1, SHAPES.index("asked")] = asked[at]
        shapes[at + 1, SHAPES.index("near asked left")] = (near < 0).any()
        shapes[at + 1, SHAPES.index("near asked right")] = (near > 0).any()
        shapes[at + 1, SHAPES.index("far from asked")] = not near.size
        buckets[at + 1] = 1 + zlib.crc32(word.lower().encode("utf-8", "ignore")) % (BUCKETS - 1)
    return Words(words, shapes, buckets, KINDS.index(question_kind(question, chinese)))


def span_scores(found: Words, weights: SpanWeights) -> Floats:
    """Scores [words, MOST_WORDS] of all spans, by first word and number of further words.

    A span that would end behind the sentence has -inf.
    """
    by_role = (weights.shapes[found.kind] + weights.shapes[-1]) @ found.shapes.T
    before, start, inside, end, after = by_role + weights.words[:, found.buckets]
    count = len(found.words)
    sums = np.concatenate([[0.0], np.cumsum(inside[1:-1])])
    left = before[:count] + start[1 : count + 1] - sums[:count]
    right = np.full(count + MOST_WORDS, -np.inf)
    right[:count] = end[1 : count + 1] + after[2:] + sums[1:]
    by_length = (weights.lengths[found.kind] + weights.lengths[-1])[length_classes()]
    ends = np.arange(count)[:, None] + np.arange(MOST_WORDS)
    scores: Floats = left[:, None] + right[ends] + by_length
    return scores


def length_classes() -> npt.NDArray[np.int64]:
    """Class of each number of words, from 1 to ``MOST_WORDS``.

    >>> length_classes()[[0, 5, 6, 7, 29]].tolist()
    [0, 5, 6, 6, 11]
    """
    classes: npt.NDArray[np.int64] = np.searchsorted(LENGTHS, np.arange(1, MOST_WORDS + 1))
    return classes


def _asked(question: str, words: Sequence[str], chinese: bool) -> list[bool]:
    """Which words the question has; of Han characters those that stand as in the question."""
    asked = terms(question, chinese)
    if not chinese:
        return [bool(terms(word, False) & asked) for word in words]
    asked |= {one for one in term_pairs(question, True) if len(one) == 3}
    found = [len(word) > 1 and word.lower() in asked for word in words]
    for size in (2, 3):
        for at in range(len(words) - size + 1):
            if "".join(words[at : at + size]) in asked:
                found[at : at + size] = [True] * size
    return found


def _shapes(word: str) -> list[int]:
    names = []
    if word[:1].isdigit():
        names.append("number")
        if _YEAR.fullmatch(word):
            names.append("year")
    elif "\u3400" <= word[:1] <= "\u9fff":
        names.append("Han")
    elif word[:1].isupper():
        names.append("capitals" if len(word) > 1 and word.isupper() else "capital")
    elif word[:1].isalpha():
        names.append("small")
    elif word.lower() not in _SHAPE_OF_WORD:
        names.append("other sign")
    return [*map(SHAPES.index, names), *_SHAPE_OF_WORD.get(word.lower(), ())]
