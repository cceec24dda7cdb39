"""Replacing spans of a text: which of overlapping ones, by what, and back again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Mask = Literal["label", "same-length"]

_STAR = "*"


@dataclass(frozen=True, slots=True)
class Found:
    """Characters ``start`` to ``end`` (exclusive) of a text hold something of ``type``.

    ``score`` is the strength of the rule that found it, 0 to 1. ``validated`` says that a
    check digit, a numbering plan or a parser agreed.
    """

    type: str
    start: int
    end: int
    score: float
    validated: bool


def disjoint(found: Iterable[Found]) -> list[Found]:
    """Return spans in order of the text that do not overlap and cover all of ``found``.

    The longest wins, then the validated, then the stronger. What sticks out of a span that
    lost is kept as a span of its own, no longer validated, so nothing found stays readable.

    >>> whole, part = Found("url", 0, 20, 0.9, False), Found("email", 12, 20, 0.9, False)
    >>> disjoint([part, whole]) == [whole]
    True
    >>> [(one.type, one.start, one.end) for one in disjoint([Found("a", 0, 9, 1, True),
    ...                                                      Found("b", 5, 12, 1, True)])]
    [('a', 0, 9), ('b', 9, 12)]
    """
    ranked = sorted(
        found,
        key=lambda one: (one.start - one.end, not one.validated, -one.score, one.start, one.type),
    )
    covered = bytearray(max((one.end for one in ranked), default=0))
    taken: list[Found] = []
    for one in ranked:
        pieces = list(_free(covered, one.start, one.end))
        whole = pieces == [(one.start, one.end)]
        taken += [
            replace(one, start=start, end=end, validated=one.validated and whole)
            for start, end in pieces
        ]
        covered[one.start : one.end] = b"\1" * (one.end - one.start)
    return sorted(taken, key=lambda one: one.start)


def _free(covered: bytearray, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Runs of zeros in ``covered[start:end]``."""
    while (start := covered.find(0, start, end)) >= 0:
        stop = covered.find(1, start, end)
        stop = end if stop < 0 else stop
        yield start, stop
        start = stop


def replacements(text: str, spans: Sequence[Found], mask: Mask) -> list[str]:
    """Return what stands in the place of each span: its label, or as many stars.

    >>> spans = [Found("email", 0, 5, 0.9, False)]
    >>> replacements("a@b.c", spans, "label"), replacements("a@b.c", spans, "same-length")
    (['[EMAIL]'], ['*****'])
    """
    if mask == "same-length":
        return [_STAR * (one.end - one.start) for one in spans]
    return [f"[{one.type.upper()}]" for one in spans]


def placeholders(text: str, spans: Sequence[Found]) -> list[str]:
    """Return a numbered label for each span: one text of a type has one number.

    A placeholder that ``text`` already holds is passed over, so that each can be found again.

    >>> text = "a@b.c, not [EMAIL_1], d@e.f, a@b.c"
    >>> spans = [Found("email", at, at + 5, 0.9, False) for at in (0, 22, 29)]
    >>> placeholders(text, spans)
    ['[EMAIL_2]', '[EMAIL_3]', '[EMAIL_2]']
    """
    numbers: dict[str, int] = {}
    known: dict[tuple[str, str], str] = {}
    for one in spans:
        key = (one.type, text[one.start : one.end])
        while key not in known:
            numbers[one.type] = numbers.get(one.type, 0) + 1
            label = f"[{one.type.upper()}_{numbers[one.type]}]"
            if label not in text:
                known[key] = label
    return [known[one.type, text[one.start : one.end]] for one in spans]


def substitute(text: str, spans: Sequence[Found], by: Sequence[str]) -> str:
    """Return ``text`` with each of ``spans``, disjoint and in order, replaced."""
    parts: list[str] = []
    at = 0
    for one, new in zip(spans, by, strict=True):
        parts += [text[at : one.start], new]
        at = one.end
    return "".join([*parts, text[at:]])


def restore(text: str, vault: Mapping[str, str]) -> str:
    """Put the originals back into a text that holds placeholders, in whatever order.

    >>> restore("Write to [EMAIL_1].", {"[EMAIL_1]": "ada@example.org"})
    'Write to ada@example.org.'
    """
    if not vault:
        return text
    labels = re.compile("|".join(re.escape(label) for label in vault))
    return labels.sub(lambda match: vault[match[0]], text)
