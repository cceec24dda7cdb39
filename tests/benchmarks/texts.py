"""The benchmark's texts: English comments of 10 to 200 words, the same at every call.

Standard library only, because the peers' clients run in an environment of their own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from functools import lru_cache
from statistics import NormalDist
from typing import Final

SHORTEST: Final = 10
MEDIAN: Final = 26
LONGEST: Final = 200
BLOCK: Final = 100
"""Texts that together have the whole mix of lengths, so that any such part compares with any."""
POISON: Final = "This text makes the model raise."
_SPREAD = 0.8

_SUBJECTS = (
    "the driver", "my sister", "this camera", "the new update", "our neighbour", "the waiter",
    "your article", "the second chapter", "a small company", "the battery", "the city council",
    "everyone at work", "the customer service", "that old song", "the last episode", "the doctor",
    "a friend of mine", "the delivery", "the goalkeeper", "the teacher", "this recipe", "the hotel",
)  # fmt: skip
_VERBS = (
    "arrived late again", "sounds better than I expected", "never explained the price",
    "made the whole evening worth it", "broke after two weeks", "keeps asking for a password",
    "deserves far more attention", "was friendly and quick", "left us waiting in the rain",
    "changed my mind completely", "costs twice as much elsewhere", "works well on my old phone",
    "forgot half of the order", "needs another careful look", "surprised all of us",
    "looked nothing like the picture", "was worth every minute", "could have been much shorter",
)  # fmt: skip
_LINKS = (
    "and", "but", "because", "although", "while", "so", "and then", "even though", "which is why",
    "as far as I know", "unless", "before", "after", "since",
)  # fmt: skip
_OPENINGS = (
    "honestly", "to be fair", "yesterday", "in the end", "as usual", "for once", "last summer",
    "at first", "on the other hand", "thankfully", "strangely enough", "after all these years",
)  # fmt: skip


def text(number: int) -> str:
    """Return text ``number`` (from 0), distinct from all others.

    >>> text(7) == text(7), text(7) == text(8)
    (True, False)
    >>> lengths = sorted(len(text(number).split()) for number in range(BLOCK))
    >>> lengths[0], lengths[BLOCK // 2], lengths[-1]
    (10, 26, 200)
    """
    chance = random.Random(f"text {number}")
    words = [*f"Comment {number}:".split()]
    while len(words) < word_count(number):
        sentence = f"{chance.choice(_OPENINGS)}, {chance.choice(_SUBJECTS)} {chance.choice(_VERBS)}"
        for _ in range(chance.randrange(3)):
            link, subject = chance.choice(_LINKS), chance.choice(_SUBJECTS)
            sentence += f" {link} {subject} {chance.choice(_VERBS)}"
        words += f"{sentence.capitalize()}.".split()
    return " ".join(words[: word_count(number)])


def texts(count: int, start: int = 0) -> Iterator[str]:
    """Yield ``count`` texts from number ``start`` on."""
    return (text(number) for number in range(start, start + count))


def short_text(number: int) -> str:
    """Return the no-op task's text ``number``, distinct from all others.

    >>> short_text(12)
    'No work for text 12.'
    """
    return f"No work for text {number}."


def word_count(number: int) -> int:
    """Words of text ``number``: quantiles of a log-normal, shuffled within each block.

    >>> counts = [word_count(number) for number in range(BLOCK)]
    >>> sorted(counts) == sorted(word_count(BLOCK + number) for number in range(BLOCK))
    True
    """
    block, place = divmod(number, BLOCK)
    return _shuffled(block)[place]


@lru_cache(maxsize=64)
def _shuffled(block: int) -> list[int]:
    normal = NormalDist(math.log(MEDIAN), _SPREAD)
    exact = (math.exp(normal.inv_cdf((place + 0.5) / BLOCK)) for place in range(BLOCK))
    counts = [min(LONGEST, max(SHORTEST, round(words))) for words in exact]
    random.Random(f"block {block}").shuffle(counts)
    return counts
