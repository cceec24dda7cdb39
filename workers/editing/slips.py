"""How one word was mistyped as another: the kind of slip, as the scorer takes it."""

from __future__ import annotations

from typing import Final

SWAPPED, MISSING, DOUBLED, EXTRA, NEIGHBOUR, VOWEL, OTHER, APOSTROPHE, SPLIT, SOUND, TWO = range(11)
KINDS: Final = 11
"""Letters swapped, missing, doubled or single by mistake, too many, beside on the keyboard, a vowel
for a vowel, another letter, a missing apostrophe, a missing space, a word of the same sound, more
than one slip."""

_ROWS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_VOWELS: Final = frozenset("aeiouy")
_PLACES: Final = {
    letter: (row, column + row * 0.5)
    for row, letters in enumerate(_ROWS)
    for column, letter in enumerate(letters)
}


def beside(one: str, other: str) -> bool:
    """Whether two keys of a QWERTY keyboard touch.

    >>> beside("g", "h"), beside("g", "t"), beside("g", "p")
    (True, True, False)
    """
    if one not in _PLACES or other not in _PLACES:
        return False
    (row, column), (other_row, other_column) = _PLACES[one], _PLACES[other]
    return abs(row - other_row) <= 1 and abs(column - other_column) <= 1.0


def slip_of(typed: str, meant: str) -> int:
    """The kind of slip that made ``typed`` out of ``meant``, two different words.

    >>> [slip_of(*pair) for pair in (("teh", "the"), ("th", "the"), ("dont", "don't"))] == [
    ...     SWAPPED, MISSING, APOSTROPHE]
    True
    >>> slip_of("untill", "until") == DOUBLED and slip_of("xyz", "abc") == TWO
    True
    """
    start = 0
    shortest = min(len(typed), len(meant))
    while start < shortest and typed[start] == meant[start]:
        start += 1
    end = 0
    while end < shortest - start and typed[-1 - end] == meant[-1 - end]:
        end += 1
    wrong, right = typed[start : len(typed) - end], meant[start : len(meant) - end]
    if (wrong, right) in (("", "'"), ("'", "")):
        return APOSTROPHE
    if not wrong and len(right) == 1:
        return DOUBLED if right == meant[start - 1 : start] else MISSING
    if not right and len(wrong) == 1:
        return DOUBLED if wrong == typed[start - 1 : start] else EXTRA
    if len(wrong) == len(right) == 1:
        if beside(wrong, right):
            return NEIGHBOUR
        return VOWEL if wrong in _VOWELS and right in _VOWELS else OTHER
    if len(wrong) == 2 and wrong == right[::-1]:
        return SWAPPED
    return TWO
