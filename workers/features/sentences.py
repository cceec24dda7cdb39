"""What tells the sentences of a text apart when the most telling ones are wanted.

Cheap features without any vocabulary: place, length, how much a sentence shares with the
rest of the text, and a few turns of phrase with which writers announce what matters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from lepton_tasks.nlp.clean import clean_text
from lepton_tasks.nlp.sentences import Span
from workers.features.ngrams import NgramSpec, bags

Floats = npt.NDArray[np.float32]

_PLACES: Final = ("first", "second", "third", "last", "last but one", "place", "place squared")
_LENGTHS: Final = ("log length", "length to mean", "short", "long")
_SHARED: Final = ("like the rest", "words like the rest", "like the first", "frequent words")
_FORMS: Final = ("digits", "question", "brackets", "capitals", "colon")
_CUES: Final[Mapping[str, tuple[str, str]]] = {
    "proposes": (
        r"\bwe (?:\w+ )?(?:propose|present|introduce|develop|describe|design|study|investigate)",
        "提出|给出|设计|建立|构建|构造|提出了",
    ),
    "finds": (
        r"\bwe (?:\w+ )?(?:show|demonstrate|find|found|prove|argue|observe)",
        "表明|显示|证明|发现|结果",
    ),
    "this work": (
        r"\b(?:this|the present) (?:paper|work|article|study)|\bin this (?:paper|work)",
        "本文|文章|该文|本研究",
    ),
    "ours": (r"\bour\b", "我们|笔者|作者"),
    "new": (r"\b(?:new|novel|first|simple)\b", "新|改进|首次|一种"),
    "contrast": (r"\b(?:however|but|yet|although|despite|while)\b", "但|然而|虽然|尽管|却"),
    "results": (
        r"\b(?:results?|experiments?|outperforms?|achieves?|state[- ]of[- ]the[- ]art|improves?)\b",
        "实验|提高|优于|有效|验证",
    ),
    "example": (r"\b(?:for example|for instance|such as|e\.g)\b", "例如|比如|如下"),
    "conclusion": (
        r"\b(?:therefore|thus|hence|conclude|in summary|overall|consequently)\b",
        "因此|总之|所以|综上|从而",
    ),
    "background": (
        r"\b(?:recent(?:ly)?|in recent years|has been|have been|often|widely|typically|usually)\b",
        "近年|目前|随着|针对|为了|由于",
    ),
    "method": (r"\b(?:method|approach|model|algorithm|framework|technique)s?\b", "方法|模型|算法"),
}
NAMES: Final = (*_PLACES, *_LENGTHS, *_SHARED, *_FORMS, *_CUES)
"""What the columns are; a model's weights are stored beside these names."""

_PATTERNS: Final = [(re.compile(en, re.I), re.compile(zh)) for en, zh in _CUES.values()]
_LETTERS: Final = NgramSpec(1 << 14, (3, 4), (0, 0))
_WORDS: Final = NgramSpec(1 << 14, (0, 0), (1, 2))
_HAN_PAIRS: Final = NgramSpec(1 << 14, (1, 2), (0, 0))
_HAN_TRIPLES: Final = NgramSpec(1 << 14, (2, 3), (0, 0))
_CONTENT: Final = re.compile(r"[^\W\d_]{4,}")
_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_FUNCTION: Final = frozenset("的了是在和与及对为以其中等这那之而也并将由从到于上下有不个一")


def sentence_features(text: str, spans: Sequence[Span], language: str) -> Floats:
    """Return [sentences, len(NAMES)] for the sentences of ``text`` at ``spans``.

    >>> text = "We propose a fast lamp. It is blue. The lamp is fast."
    >>> found = sentence_features(text, [(0, 23), (24, 35), (36, 53)], "en")
    >>> found.shape == (3, len(NAMES)), found[:, NAMES.index("proposes")].tolist()
    (True, [1.0, 0.0, 0.0])
    """
    sentences = [clean_text(text[start:end]) for start, end in spans]
    if not sentences:
        return np.zeros((0, len(NAMES)), dtype=np.float32)
    chinese = language == "zh"
    columns = [
        _places(len(sentences)),
        _lengths(sentences, chinese),
        _shared(sentences, chinese),
        _forms(sentences),
        _cues(sentences, chinese),
    ]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _places(count: int) -> npt.NDArray[np.float64]:
    at = np.arange(count)
    place = at / max(1, count - 1)
    columns = [at == 0, at == 1, at == 2, at == count - 1, at == count - 2, place, place**2]
    return np.stack(columns, axis=1).astype(np.float64)


def _lengths(sentences: Sequence[str], chinese: bool) -> npt.NDArray[np.float64]:
    size = np.array([len(one) if chinese else one.count(" ") + 1 for one in sentences], np.float64)
    short, long = (10, 60) if chinese else (8, 35)
    columns = [np.log1p(size), size / max(1.0, size.mean()), size < short, size > long]
    return np.stack(columns, axis=1).astype(np.float64)


def _shared(sentences: Sequence[str], chinese: bool) -> npt.NDArray[np.float64]:
    specs = (_HAN_PAIRS, _HAN_TRIPLES) if chinese else (_LETTERS, _WORDS)
    columns = []
    for spec in specs:
        rest, first = _likeness(sentences, spec)
        columns += [rest, first]
    return np.stack([*columns[:3], _frequent(sentences, chinese)], axis=1)


def _likeness(
    sentences: Sequence[str], spec: NgramSpec
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Cosine of each sentence's n-grams with those of all others, and with the first's."""
    found = bags(sentences, spec)
    rows = np.repeat(np.arange(len(sentences)), np.diff(found.offsets))
    weights = found.weights.astype(np.float64)
    total = np.bincount(found.indices, weights, spec.buckets)
    # With the sum less the sentence itself: s · (T - s) / |T - s|, as each |s| is 1 or 0.
    with_total = np.bincount(rows, weights * total[found.indices], len(sentences))
    own = np.bincount(rows, weights**2, len(sentences))
    norm = np.sqrt(np.maximum(total @ total - 2 * with_total + own, 1e-9))
    first = np.zeros(spec.buckets)
    head = slice(0, int(found.offsets[1]))
    first[found.indices[head]] = weights[head]
    with_first = np.bincount(rows, weights * first[found.indices], len(sentences)).astype(
        np.float64
    )
    with_first[0] = 0.0
    return (with_total - own) / norm, with_first


def _frequent(sentences: Sequence[str], chinese: bool) -> npt.NDArray[np.float64]:
    """Mean share of the text's sentences in which a sentence's content words stand."""
    words = [_content(one, chinese) for one in sentences]
    within = Counter(word for some in words for word in some)
    shares = [sum(within[word] for word in some) / max(1, len(some)) for some in words]
    return np.array(shares) / len(sentences)


def _content(sentence: str, chinese: bool) -> set[str]:
    if not chinese:
        return set(_CONTENT.findall(sentence.lower()))
    kept = ["" if one in _FUNCTION or not _HAN.match(one) else one for one in sentence]
    return {a + b for a, b in pairwise(kept) if a and b}


def _forms(sentences: Sequence[str]) -> npt.NDArray[np.float64]:
    rows = [
        (
            sum(map(str.isdigit, one)) / max(1, len(one)),
            one.endswith("?"),
            "(" in one,
            sum(map(str.isupper, one)) / max(1, len(one)),
            ":" in one,
        )
        for one in sentences
    ]
    return np.array(rows, dtype=np.float64)


def _cues(sentences: Sequence[str], chinese: bool) -> npt.NDArray[np.float64]:
    rows = [[bool(pair[chinese].search(one)) for pair in _PATTERNS] for one in sentences]
    return np.array(rows, dtype=np.float64)
