"""Numbers with a check: bank cards, IBANs, Chinese resident IDs, US social security numbers."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Final

from stdnum import iban, luhn
from stdnum.cn import ric
from stdnum.us import ssn

from lepton_tasks.nlp.masking import Found

_CARD: Final = re.compile(
    r"(?<!\d)(?:\d{12,19}"
    r"|\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?"
    r"|\d{4}([ -])\d{6}\2\d{4,5}"
    r"|\d{6}([ -])\d{13})(?!\d)"
)
_CARD_CUE: Final = re.compile(r"(?i)\b(?:cards?|cc|visa|mastercard|amex)\b|卡|[账帐賬帳][号户號戶]")
_SCHEMES: Final = (
    (re.compile(r"4"), (13, 16, 19)),
    (re.compile(r"5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)"), (16,)),
    (re.compile(r"3[47]"), (15,)),
    (re.compile(r"2131|1800"), (15,)),
    (re.compile(r"35"), (16, 17, 18, 19)),
    (re.compile(r"3(?:0[0-5]|095|[689])"), (14, 16, 19)),
    (re.compile(r"6(?:011|4[4-9]|5)"), (16, 19)),
    (re.compile(r"62|81|9558|60|68|69"), (16, 17, 18, 19)),
    (re.compile(r"50|5[6-9]|6"), (12, 13, 14, 15, 16, 17, 18, 19)),
)
"""First digits and lengths in use (ISO/IEC 7812 issuers, as the schemes publish them)."""
_SHORTEST_WITHOUT_CUE: Final = 13

_CN_ID: Final = re.compile(r"(?<!\d)\d{6}[ -]?\d{8}[ -]?\d{3}[\dXx](?![\dA-Za-z])")
_CN_ID_OLD: Final = re.compile(r"(?<!\d)\d{15}(?!\d)")
_CN_ID_CUE: Final = re.compile(
    r"(?i)身[份分][证證]|[证證]件[号號]|公民身份|\bresident id|\bid (?:card|number)"
)
_PROVINCES: Final = re.compile("1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
"""First two digits of a resident ID, GB/T 2260."""

_IBAN: Final = re.compile(
    r"(?i)(?<![A-Z0-9])[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?)"
    r"(?![A-Z0-9])"
)
_SSN: Final = re.compile(r"(?<![\d-])\d{3}([- ]?)\d{2}\1\d{4}(?![\d-])")
_SSN_CUE: Final = re.compile(r"(?i)\bssn\b|\bsocial security")
_REACH: Final = 40


def cued(text: str, start: int, cue: re.Pattern[str], reach: int = _REACH) -> bool:
    """Whether ``cue`` stands in the ``reach`` characters before ``start``."""
    return cue.search(text, max(0, start - reach), start) is not None


def find_cards(text: str) -> Iterator[Found]:
    """Card numbers of 12 to 19 digits: by scheme and check digit, or else by a cue."""
    for match in _CARD.finditer(text):
        start, end = match.span()
        near = cued(text, start, _CARD_CUE)
        shorter = max(text.rfind(" ", start, end), text.rfind("-", start, end))
        for stop in (end, shorter):
            digits = re.sub(r"\D", "", text[start:stop]) if stop > start else ""
            if luhn.is_valid(digits) and _has_scheme(digits):
                if near or len(digits) >= _SHORTEST_WITHOUT_CUE:
                    yield Found("bank_card", start, stop, 0.95, True)
                break
        else:
            if near and len(re.sub(r"\D", "", match[0])) >= _SHORTEST_WITHOUT_CUE:
                yield Found("bank_card", start, end, 0.6, False)


def _has_scheme(digits: str) -> bool:
    return any(first.match(digits) and len(digits) in lengths for first, lengths in _SCHEMES)


def find_cn_ids(text: str) -> Iterator[Found]:
    """Resident IDs of 18 digits (province, birthday, check digit), or 15 beside a cue."""
    for match in _CN_ID.finditer(text):
        number = re.sub(r"[ -]", "", match[0])
        if not _PROVINCES.match(number) or not _is_date(number[6:14]):
            continue
        if ric.calc_check_digit(number) == number[-1].upper():
            yield Found("cn_id", *match.span(), 0.99, True)
        elif cued(text, match.start(), _CN_ID_CUE):
            yield Found("cn_id", *match.span(), 0.7, False)
    for match in _CN_ID_OLD.finditer(text):
        fits = bool(_PROVINCES.match(match[0])) and _is_date("19" + match[0][6:12])
        if fits and cued(text, match.start(), _CN_ID_CUE):
            yield Found("cn_id", *match.span(), 0.7, False)


def _is_date(digits: str) -> bool:
    try:
        day = datetime.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return day.year >= 1850


def find_ibans(text: str) -> Iterator[Found]:
    """Account numbers of ISO 13616, with the check digits of their country."""
    for match in _IBAN.finditer(text):
        end = match.end()
        while end > match.start():
            if iban.is_valid(text[match.start() : end]):
                yield Found("iban", match.start(), end, 0.99, True)
                break
            end = text.rfind(" ", match.start(), end)


def find_ssns(text: str) -> Iterator[Found]:
    """US social security numbers: three groups, or nine digits beside a cue."""
    for match in _SSN.finditer(text):
        near = cued(text, match.start(), _SSN_CUE)
        if near:
            yield Found("us_ssn", *match.span(), 0.9, False)
        elif match[1] == "-" and ssn.is_valid(match[0]):
            yield Found("us_ssn", *match.span(), 0.8, False)
