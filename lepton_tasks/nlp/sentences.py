"""Where the sentences of a text in English, Chinese or both begin and end.

Pure: a text in, spans of that same text out, so that what is found in a sentence can be
pointed at in what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

Span: TypeAlias = tuple[int, int]
"""Start, and end (not part of it), in characters."""

LONGEST: Final = 1_000
"""Characters from which a "sentence" is taken to be something else and is cut."""

_CLOSERS: Final = "\"'”’»)）\\]】」』》〉"
_BREAK: Final = re.compile(
    rf"(?P<mark>[.．。｡!！?？…‥]+)(?P<closers>[{_CLOSERS}]*(?:\[\d{{1,3}}\])*)"
    r"|(?P<line>\n[ \t\r]*\n\s*|\n(?=[ \t]*(?:[-*•·]|\d{1,2}[.)、])[ \t\u3000]))"
)
_HAN: Final = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\u3040-\u30ff\U00020000-\U0003134f]")
_NEXT: Final = re.compile(r"\s*[\"'“‘«(（\[【「『《]*(\S?)")
_GOES_ON: Final = "，,、；;：:"
_LAST_WORD: Final = re.compile(r"[^\s\"'“‘(（\[]{1,24}$")
_FIRST_WORD: Final = re.compile(r"\s*[\"'“‘«(\[]*([A-Za-z]+)")
_NUMBER: Final = re.compile(r"\(?(?:\d{1,2}|[ivx]{1,4}|[A-Za-z])$")
_SOFT: Final = re.compile(r"[；;，,、：:]\s*|\s+")
_ABBREVIATIONS: Final = (
    "mr mrs ms dr prof gen col capt lt sgt sen rep gov rev hon st mt fig figs eq eqs sec ch "
    "vs e.g i.e cf viz approx ca vol no nos pp p ed eds resp dept mme messrs"
)
_NEVER_LAST: Final = frozenset(_ABBREVIATIONS.split())
_FIRST_WORDS: Final = (
    "The This That These Those There He She It They We You In On At But And A An As For If When "
    "While However His Her Its Their Our My To By From With After Before What Why How Who"
)
_STARTERS: Final = frozenset(_FIRST_WORDS.split())


def split_sentences(text: str, longest: int = LONGEST) -> list[Span]:
    """Return the spans of the sentences of ``text``, in order.

    Spans do not overlap, have no white space at their ends, and hold all else of the
    text. Closing quotes and brackets stay with their sentence. Blank lines and list items
    end one, other line ends do not. What is longer than ``longest`` is cut, at
    punctuation or a space where there is one in its second half.

    >>> def parts(text): return [text[start:end] for start, end in split_sentences(text)]
    >>> parts('Dr. J. Smith paid $3.50 in the U.S. Army shop. "Why?" he asked.  I left!')
    ['Dr. J. Smith paid $3.50 in the U.S. Army shop.', '"Why?" he asked.', 'I left!']
    >>> parts("“你去哪里？”他问。我没有回答……天黑了！图3.5给出结果.最后得到结论.")
    ['“你去哪里？”', '他问。', '我没有回答……', '天黑了！', '图3.5给出结果.', '最后得到结论.']
    >>> split_sentences("  one two  ", longest=4)
    [(2, 5), (6, 9)]
    """
    return [
        part
        for start, end in _between(text, _ends(text))
        for part in _cut(text, start, end, longest)
    ]


def _ends(text: str) -> Iterator[int]:
    begin = 0
    for found in _BREAK.finditer(text):
        if found["line"] is not None or _is_end(text, begin, found):
            begin = found.end()
            yield begin


def _is_end(text: str, begin: int, found: re.Match[str]) -> bool:
    mark, end = found["mark"], found.end()
    following = _NEXT.match(text, end)
    after = following[1] if following else ""
    if not after:
        return True
    if after in _GOES_ON and not text[end].isspace():
        return False
    if any(one in "。｡！？．" for one in mark):
        return True
    before = text[found.start() - 1] if found.start() > begin else " "
    spaced = text[end].isspace()
    if mark == "." and _is_numbering(text, begin, found.start()):
        return False
    if _HAN.match(before) or _HAN.match(after):
        return True
    if "…" in mark or "‥" in mark or len(mark) > 1:
        return spaced and not after.islower()
    if not spaced or after.islower():
        return False
    return mark != "." or not _is_abbreviation(text, found.start(), end)


def _is_numbering(text: str, begin: int, point: int) -> bool:
    """Whether all that came before the point is the number of a list item."""
    return point - begin < 40 and _NUMBER.fullmatch(text[begin:point].strip()) is not None


def _is_abbreviation(text: str, point: int, end: int) -> bool:
    last = _LAST_WORD.search(text, max(0, point - 24), point)
    word = last[0] if last else ""
    if word.lower() in _NEVER_LAST:
        return True
    if "." in word or (len(word) == 1 and word.isupper() and word != "I"):
        following = _FIRST_WORD.match(text, end)
        return not (following and following[1] in _STARTERS)
    return False


def _between(text: str, ends: Iterator[int]) -> Iterator[Span]:
    """Spans between ``ends``, without the white space at their sides; empty ones left out."""
    start = 0
    for end in (*ends, len(text)):
        span = _stripped(text, start, end)
        if span[0] < span[1]:
            yield span
        start = end


def _stripped(text: str, start: int, end: int) -> Span:
    part = text[start:end]
    left = len(part) - len(part.lstrip())
    return start + left, start + max(left, len(part.rstrip()))


def _cut(text: str, start: int, end: int, longest: int) -> Iterator[Span]:
    while end - start > longest:
        middle, limit = start + longest // 2, start + longest
        breaks = [one.end() for one in _SOFT.finditer(text, middle, limit)]
        at = breaks[-1] if breaks else limit
        yield _stripped(text, start, at)
        start = _stripped(text, at, end)[0]
    yield start, end
