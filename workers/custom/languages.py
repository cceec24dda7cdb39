"""What to mind of the languages that rows or documents are in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LEAST: Final = 10
"""Rows or documents of a language below which little is learned of it, or known."""


def scarce(counts: Mapping[str, int], what: str) -> list[str]:
    """Warnings of languages with few of all there are; ``what`` they are called.

    >>> scarce({"en": 240, "zh": 3}, "rows")
    ['zh: 3 rows of 243; that is too few to learn it, or to know how good the model is at it']
    """
    total = sum(counts.values())
    return [
        f"{language}: {count:,} {what} of {total:,}; that is too few to learn it, or to know how "
        "good the model is at it"
        for language, count in sorted(counts.items())
        if count < LEAST
    ]
