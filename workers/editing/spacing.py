"""Spaces and marks: too many, too few, or of the width of the other script."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from workers.editing.draft import Change

SPACING: Final = "spacing"
PUNCTUATION: Final = "punctuation"

HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_WIDE: Final = "，。！？；：、"
_DOUBLE_SPACE: Final = re.compile(r"(?<=\S)[ \u00a0]{2,}(?=\S)")
_BEFORE_MARK: Final = re.compile(r"(?<=[A-Za-z0-9)\]\"'”’]) +(?=[,;!?.](?:\s|$|[\"'”)\]]))")
_AFTER_MARK: Final = re.compile(r"(?<=[a-z)\"'])[,](?=[A-Za-z])|(?<=[a-z)])[!?](?=[A-Za-z])")
_AFTER_STOP: Final = re.compile(r"(?<=[a-z]{2})\.(?=([A-Z][a-z]{0,24})(?![A-Za-z.]))")
_LAST_WORD: Final = re.compile(r"[A-Za-z]{2,24}$")
_WIDE_SPACE: Final = re.compile(
    rf"(?<=[{HAN}”》）])[ \u3000]+(?=[{_WIDE}])|(?<=[{_WIDE}])[ ]+(?=[{HAN}“《（])"
)
_HAN_SPACE: Final = re.compile(rf"(?<=[{HAN}])[ \u3000]+(?=[{HAN}])")
_SENTENCE_ENDS: Final = re.compile("[。！？]")
_HEADING: Final = 4
"""Characters that, with a space after them, may be a heading of what follows."""
_FEW: Final = 2
"""Spaces between Han characters, in a line of prose, that are taken for slips."""

_NARROW_TO_WIDE: Final = {",": "，", "?": "？", "!": "！", ";": "；", ":": "：", ".": "。"}
_NARROW: Final = re.compile(
    rf"(?<=[{HAN}”》）])(?:[,;:?!] ?(?=[{HAN}“《（])|[,;?!.](?=\s*$|\s*\n|[”）])|\.(?=[{HAN}“《]))",
    re.MULTILINE,
)
_AFTER_TERM: Final = re.compile(rf"(?<=[A-Za-z0-9%)])[,;?!] ?(?=[{HAN}])")
_WIDE_TO_NARROW: Final = {"，": ",", "。": ".", "！": "!", "？": "?", "；": ";", "：": ":"}
_WIDE_MARK: Final = re.compile(
    r"(?<=[A-Za-z])[，；：]\s*(?=[A-Za-z])|(?<=[A-Za-z])[。！？](?=\s*$|\s+[A-Za-z])"
)
_ANY_HAN: Final = re.compile(f"[{HAN}]")
_NEAR: Final = 30
"""Characters at each side of a full-width mark in which Chinese makes it right."""
_WIDE_LETTERS: Final = re.compile("[Ａ-Ｚａ-ｚ]+")
_TWICE: Final = re.compile(
    r"(?<![，。、；：,;])([，。、；：,;])\1(?![，。、；：,;])|(?<=\w)\.\.(?=\s|$)(?!\.)"
)


def neutral_spaces(text: str) -> Iterator[Change]:
    """Several spaces in a row within a line, whatever the language."""
    for match in _DOUBLE_SPACE.finditer(text):
        yield Change(*match.span(), " ", SPACING)


def english_spaces(text: str, known: Callable[[str], bool]) -> Iterator[Change]:
    """Spaces before marks, and none after; ``known`` tells words from names of other things.

    >>> from workers.editing.draft import Draft
    >>> Draft.of("Well ,yes.No").changed(english_spaces("Well ,yes.No", str.isalpha)).text
    'Well, yes. No'
    """
    for match in _BEFORE_MARK.finditer(text):
        yield Change(*match.span(), "", SPACING)
    for match in re.finditer(r"(?<=[a-z]) +,(?=[A-Za-z])", text):
        yield Change(*match.span(), ", ", SPACING)
    for match in _AFTER_MARK.finditer(text):
        yield Change(match.end(), match.end(), " ", SPACING)
    for match in _AFTER_STOP.finditer(text):
        before = _LAST_WORD.search(text, max(0, match.start() - 25), match.start())
        if before and known(before[0].lower()) and known(match[1].lower()):
            yield Change(match.end(), match.end(), " ", SPACING)


def chinese_spaces(text: str, is_pair: Callable[[str], bool]) -> Iterator[Change]:
    """Spaces beside full-width marks, and inside of words (``is_pair``) or of prose.

    A space after the first few characters of a sentence may stand behind a heading and stays.
    """
    for match in _WIDE_SPACE.finditer(text):
        yield Change(*match.span(), "", SPACING)
    start = 0
    for line in text.splitlines(keepends=True):
        found = list(_HAN_SPACE.finditer(line))
        prose = len(found) <= _FEW and any(mark in line for mark in "，。")
        for match in found:
            around = line[match.start() - 1] + line[match.end()]
            opening = len(_SENTENCE_ENDS.split(line[: match.start()])[-1].strip()) <= _HEADING
            if is_pair(around) or (prose and not opening):
                yield Change(start + match.start(), start + match.end(), "", SPACING)
        start += len(line)


def chinese_marks(text: str) -> Iterator[Change]:
    """Half-width marks in Chinese, by what stands around them.

    >>> from workers.editing.draft import Draft
    >>> text = "你好,世界!版本3.5,不变. Yes, it is."
    >>> Draft.of(text).changed(chinese_marks(text)).text
    '你好，世界！版本3.5，不变. Yes, it is.'
    """
    for pattern in (_NARROW, _AFTER_TERM):
        for match in pattern.finditer(text):
            yield Change(*match.span(), _NARROW_TO_WIDE[match[0][0]], PUNCTUATION)


def english_marks(text: str) -> Iterator[Change]:
    """Full-width marks and letters in English.

    >>> from workers.editing.draft import Draft
    >>> Draft.of("Yes，Ｉ do。").changed(english_marks("Yes，Ｉ do。")).text
    'Yes，I do.'
    """
    for match in _WIDE_MARK.finditer(text):
        around = text[max(0, match.start() - _NEAR) : match.end() + _NEAR]
        if _ANY_HAN.search(around):
            continue
        mark = _WIDE_TO_NARROW[match[0][0]]
        yield Change(*match.span(), mark + " " if mark in ",;:" else mark, PUNCTUATION)
    for match in _WIDE_LETTERS.finditer(text):
        plain = "".join(chr(ord(one) - 0xFEE0) for one in match[0])
        yield Change(*match.span(), plain, PUNCTUATION)


def doubled_marks(text: str) -> Iterator[Change]:
    """A comma, stop or semicolon that stands twice; three stops are an ellipsis."""
    for match in _TWICE.finditer(text):
        yield Change(*match.span(), match[0][0], PUNCTUATION)
