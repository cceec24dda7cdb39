"""Numbers with check digits: right ones are found, wrong ones need a cue."""

from __future__ import annotations

import pytest

from lepton_tasks.nlp.masking import Found
from workers.redaction.numbers import find_cards, find_cn_ids, find_ibans, find_ssns


def values(text: str, found: list[Found]) -> list[tuple[str, bool]]:
    return [(text[one.start : one.end], one.validated) for one in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("身份证11010519491231002X。", [("11010519491231002X", True)]),
        ("id 11010519491231002x,", [("11010519491231002x", True)]),
        ("号码是110105 19491231 002X", [("110105 19491231 002X", True)]),
        ("號碼110105 19491231002X", [("110105 19491231002X", True)]),
        ("流水110105194912310021", []),  # wrong check digit
        ("身份证号110105194912310021", [("110105194912310021", False)]),
        ("身份证号110105194913310021", []),  # month 13
        ("身分證 110105194912310021", [("110105194912310021", False)]),
        ("身份证号990105194912310021", []),  # no such province
        ("11010519491231002X7", []),
        ("原身份证号 110105491231002", [("110105491231002", False)]),
        ("单号110105491231002", []),
    ],
)
def test_chinese_resident_ids(text: str, expected: list[tuple[str, bool]]) -> None:
    assert values(text, list(find_cn_ids(text))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4111111111111111", [("4111111111111111", True)]),
        ("卡号6222021234567890128，", [("6222021234567890128", True)]),
        ("6222 0212 3456 7890 128", [("6222 0212 3456 7890 128", True)]),
        ("4111-1111-1111-1111", [("4111-1111-1111-1111", True)]),
        ("4111 1111 1111 1111 12/27", [("4111 1111 1111 1111", True)]),
        ("3782 822463 10005", [("3782 822463 10005", True)]),
        ("4111111111111112", []),
        ("my card is 4111111111111112", [("4111111111111112", False)]),
        ("1111111111111117", []),  # a right check digit, and no scheme
        ("503890547220", []),  # twelve digits and no cue
        ("card 503890547220", [("503890547220", True)]),
        ("41111111111111111111111", []),
    ],
)
def test_bank_cards(text: str, expected: list[tuple[str, bool]]) -> None:
    assert values(text, list(find_cards(text))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("IBAN GB82WEST12345698765432.", ["GB82WEST12345698765432"]),
        ("gb82 west 1234 5698 7654 32", ["gb82 west 1234 5698 7654 32"]),
        ("DE89 3704 0044 0532 0130 00 thanks", ["DE89 3704 0044 0532 0130 00"]),
        ("GB83WEST12345698765432", []),
    ],
)
def test_ibans(text: str, expected: list[str]) -> None:
    assert values(text, list(find_ibans(text))) == [(value, True) for value in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("536-90-4399", ["536-90-4399"]),
        ("666-90-4399", []),
        ("my SSN: 666-90-4399", ["666-90-4399"]),
        ("social security number 536904399", ["536904399"]),
        ("order 536904399", []),
        ("2536-90-4399", []),
    ],
)
def test_social_security_numbers(text: str, expected: list[str]) -> None:
    assert values(text, list(find_ssns(text))) == [(value, False) for value in expected]
