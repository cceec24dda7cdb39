"""Where sentences end, in English and Chinese, by their marks and what stands around them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from workers.tagging.english import ABBREVIATIONS, Span

_CLOSERS: Final = "\"'”’）)】]》」』〉"
_END: Final = re.compile(
    rf"(?P<line>\n)|(?P<han>[。！？；]+[。！？!?…]*[{re.escape(_CLOSERS)}]*)"
    rf"|(?P<mark>[.!?…]+)(?P<closers>[{re.escape(_CLOSERS)}]*)"
)
_GOES_ON: Final = re.compile(r"[，、：,:;；。.!?！？）)]")
_OPENS: Final = re.compile(r"\s+[\"'“‘(\[#@*$>-]{0,3}(?:[A-Z0-9\u00c0-\u00de]|[^\x00-\u024f])")
_LAST_WORD: Final = re.compile(r"[\w.]{1,24}\Z")
_ALWAYS_FOLLOWED: Final = frozenset(ABBREVIATIONS - {"etc", "inc", "corp", "co", "ltd", "jr", "sr"})
_BEFORE_NUMBERS: Final = frozenset(("no", "nos", "sec", "ch", "eq", "art", "p", "pp", "fig", "vol"))
_NUMBER: Final = re.compile(r"\.\s\d")
_HAN: Final = re.compile(r"[\u3400-\u9fff\u3000-\u303f\uff00-\uffef”’」』]")


def split_sentences(text: str) -> Iterator[Span]:
    """Yield start and end of every sentence, without the white space around it.

    A line ends a sentence. A stop does so before white space and a capital, a digit or
    another script, unless an abbreviation or an initial stands before it; Chinese marks
    do so wherever they stand, with the quotes that close after them.

    >>> text = "Dr. Wu came at 3.30 p.m. He said: “Go!” 他说：“走吧。”然后走了……没回来。"
    >>> [text[start:end] for start, end in split_sentences(text)]
    ['Dr. Wu came at 3.30 p.m.', 'He said: “Go!”', '他说：“走吧。”', '然后走了……没回来。']
    """
    start = 0
    for match in _END.finditer(text):
        if match.end() <= start or not _ends(text, match):
            continue
        yield from _trimmed(text, start, match.end())
        start = match.end()
    yield from _trimmed(text, start, len(text))


def _ends(text: str, match: re.Match[str]) -> bool:
    if match["line"] is not None:
        return True
    after = text[match.end() : match.end() + 1]
    if match["han"] is not None:
        return not _GOES_ON.match(after)
    if not after.strip():
        if after == "" or after == "\n":
            return True
        if not _OPENS.match(text, match.end()):
            return False
        return match["mark"] != "." or not _is_short(text, match.start())
    before = text[match.start() - 1 : match.start()] if match.start() else ""
    in_chinese = bool(_HAN.match(before) and _HAN.match(after))
    if "…" in match["mark"] or match["mark"].startswith("."):
        return in_chinese and bool(match["closers"]) and not _GOES_ON.match(after)
    return in_chinese and not _GOES_ON.match(after)


def _is_short(text: str, stop: int) -> bool:
    """Whether the stop at ``stop`` belongs to an abbreviation or an initial before it."""
    word = _LAST_WORD.search(text, max(0, stop - 24), stop)
    if word is None:
        return False
    last = word[0].rsplit(".", 1)[-1]
    if last.lower() in _BEFORE_NUMBERS and _NUMBER.match(text, stop):
        return True
    if len(last) == 1 and last.isalpha() and last.isupper():
        return last != "I" and "." not in word[0]
    return last.lower() in _ALWAYS_FOLLOWED


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    right = len(piece.rstrip())
    if right > left:
        yield start + left, start + right
