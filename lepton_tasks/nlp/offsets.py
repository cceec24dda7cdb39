"""Rewriting a text while knowing where each character came from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from lepton_tasks.nlp.clean import CONTROL, INVISIBLE, MARKS, SPACES

_HANGUL_PART = re.compile("[\u1161-\u1175\u11a8-\u11c2]")
"""Letters that join the one before them although they are no marks."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """``text`` whose character ``i`` came from ``[starts[i], ends[i])`` of another text.

    ``starts`` and ``ends`` never fall.
    """

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> Mapped:
        """A text as it is: every character came from itself."""
        return cls(text, tuple(range(len(text))), tuple(range(1, len(text) + 1)))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where the characters ``[start, end)``, at least one, came from."""
        return self.starts[start], self.ends[end - 1]

    def cut(self, start: int, end: int) -> Mapped:
        """The characters ``[start, end)`` alone."""
        return Mapped(self.text[start:end], self.starts[start:end], self.ends[start:end])

    def sub(self, pattern: re.Pattern[str], replace: Callable[[str], str]) -> Mapped:
        """Replace every match, none of them empty; what stands for it came from all of it.

        >>> found = Mapped.of("a  b").sub(re.compile(" +"), lambda match: "_")
        >>> found.text, found.starts, found.ends
        ('a_b', (0, 1, 3), (1, 3, 4))
        """
        pieces = [(match.start(), match.end()) for match in pattern.finditer(self.text)]
        return self.rewrite(pieces, [replace(self.text[start:end]) for start, end in pieces])

    def rewrite(self, pieces: list[tuple[int, int]], news: list[str]) -> Mapped:
        """Put ``news`` in the place of ``pieces``, spans in order, none of them empty."""
        text: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        last = 0
        for (first, after), new in zip(pieces, news, strict=True):
            start, end = self.span(first, after)
            text += (self.text[last:first], new)
            starts += (*self.starts[last:first], *([start] * len(new)))
            ends += (*self.ends[last:first], *([end] * len(new)))
            last = after
        text.append(self.text[last:])
        return Mapped("".join(text), (*starts, *self.starts[last:]), (*ends, *self.ends[last:]))


def clean_mapped(text: str) -> Mapped:
    r"""As ``clean_text``, with the place in ``text`` that each character came from.

    >>> found = clean_mapped("ｈｉ\u200b  ㎏")
    >>> found.text, [found.span(place, place + 1) for place in range(5)]
    ('hi kg', [(0, 1), (1, 2), (3, 5), (5, 6), (5, 6)])
    """
    found = _nfkc(Mapped.of(text).sub(MARKS, lambda marks: marks[:2]))
    found = found.sub(INVISIBLE, lambda _: "").sub(CONTROL, lambda _: " ")
    found = found.sub(SPACES, lambda _: " ")
    return found.cut(found.text.startswith(" "), len(found.text.rstrip(" ")))


def _nfkc(mapped: Mapped) -> Mapped:
    """Normal form KC, a character with its marks at a time."""
    text = mapped.text
    if unicodedata.is_normalized("NFKC", text):
        return mapped
    begins = [place for place, one in enumerate(text) if place == 0 or _begins(one)]
    pieces = list(zip(begins, [*begins[1:], len(text)], strict=True))
    news = [unicodedata.normalize("NFKC", text[start:end]) for start, end in pieces]
    whole = unicodedata.normalize("NFKC", text)
    if "".join(news) != whole:  # a letter that joins the one before and is not known here
        pieces, news = [(0, len(text))], [whole]
    return mapped.rewrite(pieces, news)


def _begins(character: str) -> bool:
    """Whether normalising joins ``character`` to nothing that stands before it."""
    first = unicodedata.normalize("NFKD", character)[0]
    return not (unicodedata.category(first).startswith("M") or _HANGUL_PART.match(first))
