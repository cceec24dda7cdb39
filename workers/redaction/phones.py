"""Phone numbers: by the numbering plans of countries, by the Chinese forms, or by a cue."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from phonenumbers import Leniency, PhoneNumberMatcher

from lepton_tasks.nlp.masking import Found
from workers.redaction.numbers import cued

_INTERNATIONAL: Final = "ZZ"
"""What the phonenumbers library calls no country: numbers with a country code alone."""
_CN_MOBILE: Final = re.compile(
    r"(?<!\d)(?<!\d[.-])(?:(?:\+|00)?86[ -]?)?1[3-9]\d([ -]?)\d{4}\1\d{4}(?![\d])(?![.-]\d)"
)
_CN_LANDLINE: Final = re.compile(
    r"(?<![\d-])(?:\(0\d{2,3}\) ?|0\d{2,3}[ -])[2-9]\d{2,3} ?-?\d{4}(?:[-转轉]\d{1,6})?(?![\d-])"
    r"|(?<![\d-])[48]00-?\d{3}-?\d{4}(?![\d-])"
)
_NORTH_AMERICAN: Final = re.compile(
    r"(?<![A-Za-z0-9+(/.-])(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[.-]\d{4}(?![A-Za-z0-9])(?![.-]\d)"
)
_SHAPE: Final = re.compile(
    r"(?<![A-Za-z0-9+(/.-])(?:\+|00)?\(?\d{1,17}(?:[ .()-]{1,3}\d{1,17}){0,7}"
    r"(?: ?(?:x|ext\.? ?|#)\d{1,6})?(?![A-Za-z0-9/@])(?![.-]\d)"
)
_BEFORE: Final = re.compile(
    r"(?i)\b(?:tele)?(?:phones?|fax)\b|\b(?:tel|cell|mobile|whatsapp|call|dial|ring|sms|text)\b"
    r"|\b(?:answer(?:ing)?|reach(?:ed)?|messages?|contact)\b.{0,16}\b(?:at|on|to|by)\b"
    r"|\b(?:my|his|her|our|their)(?: new)? number\b|电话|手机|座机|致电|拨打|联系方式|热线|传真"
    r"|電話|手機|致電|撥打|聯絡|熱線|傳真"
)
_AFTER: Final = re.compile(r"(?i)[ -]?[(,]? ?(?:office|fax|mobile|home|cell|tel|phone)\b")
_LEAST_DIGITS: Final = 7
_MOST_DIGITS: Final = 17
_REACH: Final = 32
_DECIMAL: Final = re.compile(r"0\.\d")
_DATE: Final = re.compile(r"\d{4}[-.]\d{1,2}[-.]\d{1,2}(?: \d{1,2})?|\d{1,2}[-.]\d{1,2}[-.]\d{4}")


def find_phones(text: str, regions: Sequence[str]) -> Iterator[Found]:
    """Every number that a plan of ``regions`` allows; in any text Chinese ones and 3-3-4 forms.

    Numbers of other countries without a country code are found beside a cue alone.
    """
    for region in (*regions, _INTERNATIONAL) if "+" in text else regions:
        for number in PhoneNumberMatcher(text, region, leniency=Leniency.VALID):
            if not _DECIMAL.match(text, number.start):
                yield Found("phone", number.start, number.end, 0.85, True)
    for match in _CN_MOBILE.finditer(text):
        yield Found("phone", *match.span(), 0.9, True)
    for match in _CN_LANDLINE.finditer(text):
        yield Found("phone", *match.span(), 0.6, False)
    for match in _NORTH_AMERICAN.finditer(text):
        yield Found("phone", *match.span(), 0.6, False)
    for match in _SHAPE.finditer(text):
        digits = sum(map(str.isdigit, match[0]))
        if not _LEAST_DIGITS <= digits <= _MOST_DIGITS or _DATE.fullmatch(match[0]):
            continue
        if cued(text, match.start(), _BEFORE, _REACH) or _AFTER.match(text, match.end()):
            opened = match[0].startswith("(") and ")" not in match[0]
            yield Found("phone", match.start() + opened, match.end(), 0.7, False)
