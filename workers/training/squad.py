"""How SQuAD scores an answer (Rajpurkar et al. 2016): words shared with one that people marked.

For Chinese the words are characters, as CMRC 2018 scores. Of several answers the best counts.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_UNIT = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[^\s\u3400-\u9fff\uf900-\ufaff]+")


def normalised(answer: str) -> list[str]:
    """Words in lower case without punctuation and English articles; Han characters apart.

    >>> normalised("The U.S. Army, 1871"), normalised("《红楼梦》 1904年")
    (['us', 'army', '1871'], ['红', '楼', '梦', '1904', '年'])
    """
    kept = "".join(
        one
        for one in answer.lower()
        if one not in string.punctuation and not unicodedata.category(one).startswith("P")
    )
    return _UNIT.findall(_ARTICLES.sub(" ", kept))


def f1(answer: str, wanted: Sequence[str]) -> float:
    """Harmonic mean of precision and recall of words, with the nearest of ``wanted``.

    >>> f1("in the year 1871", ["1871", "in 1871"])
    0.8
    """
    return max(_f1(normalised(answer), normalised(one)) for one in wanted)


def exact(answer: str, wanted: Sequence[str]) -> bool:
    """Whether the answer has the very words of one of ``wanted``.

    >>> exact("the Army", ["Army"]), exact("Army", ["An army of two"])
    (True, False)
    """
    return any(normalised(answer) == normalised(one) for one in wanted)


def _f1(found: Sequence[str], wanted: Sequence[str]) -> float:
    shared = (Counter(found) & Counter(wanted)).total()
    return 2 * shared / (len(found) + len(wanted)) if shared else float(found == wanted)
