"""A text as the rules read it, and the way back to the characters that were sent."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d\u2043"), "-")


@dataclass(frozen=True, slots=True)
class View:
    """``text`` is in plain characters; ``origins[i]`` is where its character i stood."""

    text: str
    origins: Sequence[int]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Start and end (exclusive) in the text that was sent, of a span that is not empty."""
        return self.origins[start], self.origins[end - 1] + 1


def view_of(text: str) -> View:
    r"""Return ``text`` with plain digits, letters, dashes and spaces, one for one.

    Invisible format characters, with which a number can be hidden, are left out.

    >>> view_of("电话：１３８\u200b－12").text
    '电话:138-12'
    >>> view_of("a\u200bb").original(1, 2)
    (2, 3)
    """
    if text.isascii():
        return View(text, range(len(text)))
    characters: list[str] = []
    origins: list[int] = []
    for place, character in enumerate(text):
        if character.isascii():
            plain = character
        elif unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f":
            continue
        else:
            plain = _plain(character)
        characters.append(plain)
        origins.append(place)
    return View("".join(characters), origins)


def _plain(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    folded = unicodedata.normalize("NFKC", character)
    return folded.translate(_DASHES) if len(folded) == 1 else character
