"""Phone numbers: plans of countries, Chinese forms, and cues."""

from __future__ import annotations

import phonenumbers
import pytest

from lepton_tasks.nlp.masking import disjoint
from lepton_tasks.nlp.regions import REGIONS
from workers.redaction.phones import find_phones


def phones(text: str, *regions: str) -> list[tuple[str, bool]]:
    found = disjoint(find_phones(text, regions))
    return [(text[one.start : one.end], one.validated) for one in found]


def test_the_regions_are_those_of_the_library() -> None:
    assert set(phonenumbers.SUPPORTED_REGIONS) == REGIONS


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("我的手机13812345678", "13812345678"),
        ("138-1234-5678行吗", "138-1234-5678"),
        ("call +86 138 1234 5678", "+86 138 1234 5678"),
    ],
)
def test_chinese_mobiles_are_found_in_any_text(text: str, number: str) -> None:
    assert phones(text) == [(number, True)]


def test_chinese_landlines() -> None:
    assert phones("座机010-82345678", "CN") == [("010-82345678", True)]
    assert phones("热线400-820-8820", "CN") == [("400-820-8820", True)]
    assert phones("021-69876543") == [("021-69876543", False)]


@pytest.mark.parametrize(
    ("text", "regions", "number"),
    [
        ("It is (415) 555-2671.", ["US"], "(415) 555-2671"),
        ("Rufen Sie 030 901820 an", ["US", "DE"], "030 901820"),
        ("Write +44 20 7946 0958", [], "+44 20 7946 0958"),
    ],
)
def test_plans_of_countries(text: str, regions: list[str], number: str) -> None:
    assert phones(text, *regions) == [(number, True)]


def test_a_form_of_north_america_that_is_in_no_plan() -> None:
    assert phones("It's 555-123-4567 or (555) 123-4567.") == [
        ("555-123-4567", False),
        ("(555) 123-4567", False),
    ]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("my new number is 91 2345 678", "91 2345 678"),
        ("Phone: (72) 754-186", "(72) 754-186"),
        ("They're not answering at 06-24312407", "06-24312407"),
        ("(84) 7564-8830 office", "(84) 7564-8830"),
        ("传真（2382 0000）", "2382 0000"),
        ("電話:(02) 2345-6789", "(02) 2345-6789"),
        ("座机(021)6288-8888转801", "(021)6288-8888转801"),
    ],
)
def test_a_cue_makes_a_shape_a_number(text: str, number: str) -> None:
    plain = text.translate({ord("（"): "(", ord("）"): ")"})
    assert phones(plain) == [(number, False)]


@pytest.mark.parametrize(
    "text",
    [
        "call me on 2024-05-06",
        "ring before 12.11.2024",
        "13812345678901",
        "order 7564 8830 of 2019",
        "text 123456",
        "0.13812345678",
    ],
)
def test_dates_and_other_numbers_are_none(text: str) -> None:
    assert phones(text, "US", "CN") == []
