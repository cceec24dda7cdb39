"""Copies of texts with some of their words changed, for measuring how copies are found."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Final

_UNIT = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+")
_SWAPS: Final = str.maketrans({",": ";", ".": "!", "，": "；", "。": "！"})


def units(text: str) -> list[str]:
    """Words of a text, or its characters where it is in Chinese.

    >>> units("An old 茶馆.")
    ['An', 'old', '茶', '馆', '.']
    """
    return _UNIT.findall(text)


def edited_copy(
    text: str, share: float, vocabulary: Sequence[str], generator: random.Random
) -> str:
    """Return ``text`` with at most ``share`` of its units replaced, left out or added to.

    Places and kinds of the edits are drawn from ``generator``, new units from
    ``vocabulary``. On top of that some punctuation and case is changed.

    >>> edited_copy("one two three four five six", 0.2, ["tea"], random.Random(0))
    'ONE two three tea five six'
    """
    found = units(text)
    chinese = sum("\u3400" <= unit <= "\u9fff" for unit in found) * 2 > len(found)
    edits = generator.randint(0, int(share * len(found)))
    for place in sorted(generator.sample(range(len(found)), edits), reverse=True):
        kind = generator.choice(("replace", "replace", "delete", "insert"))
        if kind == "delete":
            del found[place]
        elif kind == "insert":
            found.insert(place, generator.choice(vocabulary))
        else:
            found[place] = generator.choice(vocabulary)
    joined = ("" if chinese else " ").join(found)
    if generator.random() < 0.5:
        joined = joined.translate(_SWAPS)
    return joined[:3].upper() + joined[3:]
