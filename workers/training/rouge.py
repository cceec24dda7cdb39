"""ROUGE (Lin 2004): how many words or n-grams a summary shares with one that people wrote.

The plain variant: F-measure of recall and precision, lower case, no stemming and no list
of stop words; words are runs of Latin letters and digits, and every Han character is a
word of its own. ROUGE-L is that of the whole text. Of several references the best counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_UNIT = re.compile(r"[a-z0-9]+|[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")


def units(text: str) -> list[str]:
    """What is counted.

    >>> units("The GPU-based 方法, v2.")
    ['the', 'gpu', 'based', '方', '法', 'v2']
    """
    return _UNIT.findall(text.lower())


def rouge_n(summary: Sequence[str], reference: Sequence[str], n: int) -> float:
    """F-measure of shared n-grams, each counted as often as both have it.

    >>> round(rouge_n(units("the cat sat"), units("the cat ate the fish"), 1), 3)
    0.5
    >>> round(rouge_n(units("the cat sat"), units("the cat ate the fish"), 2), 3)
    0.333
    """
    found, wanted = _grams(summary, n), _grams(reference, n)
    return _f_measure((found & wanted).total(), found.total(), wanted.total())


def rouge_l(summary: Sequence[str], reference: Sequence[str]) -> float:
    """F-measure of the longest common subsequence.

    >>> round(rouge_l(units("the cat sat on it"), units("the dog sat")), 3)
    0.5
    """
    row = [0] * (len(reference) + 1)
    for one in summary:
        diagonal = 0
        for place, other in enumerate(reference, 1):
            diagonal, row[place] = (
                row[place],
                diagonal + 1 if one == other else max(row[place], row[place - 1]),
            )
    return _f_measure(row[-1], len(summary), len(reference))


def best_rouge_1(summary: str, references: Sequence[str]) -> float:
    """ROUGE-1 with the nearest of ``references``, at least one.

    >>> best_rouge_1("a b", ["c d", "b a"])
    1.0
    """
    return max(rouge_n(units(summary), units(one), 1) for one in references)


def _grams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[at : at + n]) for at in range(len(words) - n + 1))


def _f_measure(shared: int, found: int, wanted: int) -> float:
    return 2 * shared / (found + wanted) if shared else 0.0
