"""What tells the sentence that answers a question from the others of its context."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from lepton_tasks.nlp.clean import clean_text
from workers.features.question_kinds import (
    NAME,
    NUMBER,
    PLACE,
    REASON,
    TIME,
    WAY,
    question_kind,
)

Floats = npt.NDArray[np.float32]

NAMES: Final = (
    "terms",
    "terms less best",
    "pairs",
    "pairs less best",
    "question's share",
    "terms before",
    "terms after",
    "terms with the one before",
    "vector",
    "vector less best",
    "vector before",
    "first",
    "place",
    "log length",
    "short",
    "question",
    "new terms",
    "when and a time",
    "count and a number",
    "who and a name",
    "where and a place",
    "why and a reason",
    "how and a way",
    "a number",
    "a name",
)
"""What the columns are; a model's weights are stored beside these names."""

_STEM: Final = 6
_WORD: Final = re.compile(r"[^\W_]+")
_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_STOP_WORDS: Final = (
    "a an the of in on at by for from to with and or is are was were be been being do does did has "
    "have had it its this that these those as what which who whom whose when where why how many "
    "much there their they he she his her we you i not"
)
_STOP: Final = frozenset(_STOP_WORDS.split())
_FUNCTION: Final = frozenset(
    "的了是在和与及对为以其中等这那之而也并将由从到于上下有不个谁哪什么何多少几吗呢"
)


def prepared(text: str, simplified: Mapping[int, str]) -> str:
    """Clean ``text`` as the features want it, given a table of simplified characters.

    >>> prepared("  臺灣ＡＢＣ ", {ord("臺"): "台", ord("灣"): "湾"})
    '台湾ABC'
    """
    return clean_text(text).translate(simplified)


def question_features(question: str, sentences: Sequence[str], chinese: bool) -> Floats:
    """Return [sentences, len(NAMES)] for the sentences of a context, at least one.

    ``question`` and ``sentences`` are :func:`prepared`. The columns that need an encoder are
    0 until :func:`add_cosines`.

    >>> found = question_features("Who left?", ["Ann left.", "It rained."], False)
    >>> found[:, NAMES.index("terms")].tolist()
    [1.0, 0.0]
    """
    asked, bags = terms(question, chinese), [terms(one, chinese) for one in sentences]
    pairs, paired = term_pairs(question, chinese), [term_pairs(one, chinese) for one in sentences]
    rarity = _rarity(bags)
    recall = _recalls(asked, bags, rarity)
    pair_recall = _recalls(pairs, paired, _rarity(paired))
    joined = [bags[max(0, at - 1)] | bags[at] for at in range(len(bags))]
    kind = question_kind(question, chinese)
    size = np.array([len(one) for one in bags], np.float64)
    at = np.arange(len(bags))
    none = np.zeros(len(bags))
    numbers, names = (_has(pattern[chinese], sentences) for pattern in (NUMBER, NAME))
    columns = [
        recall,
        recall - recall.max(),
        pair_recall,
        pair_recall - pair_recall.max(),
        _recalls_of(bags, asked, rarity),
        np.concatenate([[0.0], recall[:-1]]),
        np.concatenate([recall[1:], [0.0]]),
        _recalls(asked, joined, rarity),
        none,
        none,
        none,
        at == 0,
        at / max(1, len(bags) - 1),
        np.log1p(size),
        size < 4,
        [one.endswith(("?", "？")) for one in sentences],
        np.log1p([len(one - asked) for one in bags]),
        (kind == "when") * _has(TIME[chinese], sentences),
        (kind == "count") * numbers,
        (kind == "who") * names,
        (kind == "where") * _has(PLACE[chinese], sentences),
        (kind == "why") * _has(REASON[chinese], sentences),
        (kind == "how") * _has(WAY[chinese], sentences),
        numbers,
        names,
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def add_cosines(features: Floats, cosines: Floats) -> Floats:
    """The same with ``cosines`` [sentences] of an encoder's vectors with the question's."""
    found = features.copy()
    found[:, NAMES.index("vector")] = cosines
    found[:, NAMES.index("vector less best")] = cosines - cosines.max()
    found[1:, NAMES.index("vector before")] = cosines[:-1]
    return found


def terms(text: str, chinese: bool) -> set[str]:
    """What a text is about: stems without function words, or pairs of Han characters too.

    >>> sorted(terms("The bridges of Rome", False)), sorted(terms("图书馆在2楼", True))
    (['bridge', 'rome'], ['2', '书馆', '图书'])
    """
    found = set()
    for word in _WORD.findall(text.lower()):
        if not chinese:
            if word not in _STOP:
                found.add(word[:_STEM])
            continue
        found.update(_latin_and_pairs(word))
    return found


def term_pairs(text: str, chinese: bool) -> set[str]:
    """Neighbouring stems, function words included; of Chinese single and triple characters.

    >>> sorted(term_pairs("the old bridge", False)), sorted(term_pairs("图书馆", True))
    (['old bridge', 'the old'], ['书', '图', '图书馆', '馆'])
    """
    words = _WORD.findall(text.lower())
    if not chinese:
        stems = [word[:_STEM] for word in words]
        return {f"{a} {b}" for a, b in pairwise(stems)}
    singles = {one for one in text if _HAN.match(one) and one not in _FUNCTION}
    triples = {
        word[at : at + 3]
        for word in words
        for at in range(len(word) - 2)
        if all(map(_HAN.match, word[at : at + 3]))
    }
    return singles | triples


def _latin_and_pairs(word: str) -> set[str]:
    """Of a run of letters that may mix scripts: other words whole, and Han pairs."""
    found = set(re.findall(r"[^\u3400-\u9fff]+", word))
    found.update(
        a + b
        for a, b in pairwise(word)
        if _HAN.match(a) and _HAN.match(b) and not (a in _FUNCTION or b in _FUNCTION)
    )
    return found


def _rarity(bags: Sequence[set[str]]) -> Counter[str]:
    """In how many sentences a term stands."""
    return Counter(term for bag in bags for term in bag)


def _weight(term: str, within: Counter[str], count: int) -> float:
    return math.log1p((count + 1) / (within[term] + 0.5))


def _recalls(
    asked: set[str], bags: Sequence[set[str]], within: Counter[str]
) -> npt.NDArray[np.float64]:
    """Share of what is asked that each bag has, rare terms counting more; 1 at most."""
    # Sorted: sums of floats must not depend on the order of a set, which is drawn anew each run.
    weights = {term: _weight(term, within, len(bags)) for term in sorted(asked)}
    whole = sum(weights.values()) or 1.0
    return np.array(
        [sum(weight for term, weight in weights.items() if term in bag) / whole for bag in bags]
    )


def _recalls_of(
    bags: Sequence[set[str]], asked: set[str], within: Counter[str]
) -> npt.NDArray[np.float64]:
    """Share of each bag that is asked for."""
    weights = {term: _weight(term, within, len(bags)) for term in sorted(within)}
    rows = [
        sum(weights[term] for term in sorted(bag & asked))
        / (sum(weights[term] for term in sorted(bag)) or 1.0)
        for bag in bags
    ]
    return np.array(rows)


def _has(pattern: re.Pattern[str], sentences: Sequence[str]) -> npt.NDArray[np.float64]:
    return np.array([bool(pattern.search(one)) for one in sentences], dtype=np.float64)
