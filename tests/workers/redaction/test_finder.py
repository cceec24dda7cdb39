"""All rules over one text: offsets in the original, and texts made to stall patterns."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_tasks.nlp.masking import disjoint
from lepton_tasks.nlp.redaction import TYPES
from workers.redaction.finder import find_personal_data

LONGEST = 20_000
PIECES = (
    "1", "1 ", "(1)", "1-2-", "1.", "+1", "1x1", "a@", "@", "a", "A", "www.", "www.a)", "http://",
    ":", "a:", "1:2:3:", "Name: ", "Aa ", "Mr. Aa ", "姓名:张", "姓名:张三丰李", "born on ",
    "passport no is ", "地址:", "a(at)", "a(dot)", "京A12 ", "4111 ", "GB82 WEST 1234 ", "tel 1 1 ",
    "1\u200b", "１３", "123-45-", "1990年1月1日", " ", "January 1 ",
)  # fmt: skip


def found(text: str, *regions: str) -> list[tuple[str, str]]:
    spans = disjoint(find_personal_data(text, regions))
    return [(one.type, text[one.start : one.end]) for one in spans]


def test_a_mixed_text() -> None:
    text = "😀 收货人：王小明，电话１３８\u200b１２３４５６７８，邮箱：ming@example.cn。"
    assert found(text, "CN") == [
        ("person_name", "王小明"),
        ("phone", "１３８\u200b１２３４５６７８"),
        ("email", "ming@example.cn"),
    ]


def test_traditional_characters_and_full_width_punctuation() -> None:
    assert found("聯絡電話：＋８８６ ２ ２３４５ ６７８９") == [
        ("phone", "＋８８６ ２ ２３４５ ６７８９")
    ]


def test_an_address_inside_a_link_is_hidden_with_it() -> None:
    assert found("http://x.example/?to=a@example.org ok") == [
        ("url", "http://x.example/?to=a@example.org")
    ]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("piece", PIECES)
def test_no_text_stalls_a_pattern(piece: str) -> None:
    text = (piece * LONGEST)[:LONGEST]
    assert all(0 <= one.start < one.end <= LONGEST for one in find_personal_data(text, ["US"]))


@settings(max_examples=60)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=40).map("".join))
def test_spans_lie_in_the_text_and_have_known_types(text: str) -> None:
    for one in find_personal_data(text, ["US", "CN"]):
        assert 0 <= one.start < one.end <= len(text)
        assert one.type in TYPES and 0.0 <= one.score <= 1.0
