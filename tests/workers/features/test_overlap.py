"""Copied passages: what counts as the same, where spans stand, what edits do."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.features.han import simplified_characters
from workers.features.overlap import Overlap, find_overlap, find_overlaps
from workers.quality.edits import edited_copy, units

SOURCE = (
    "The library opens at eight in the morning, and on Sundays it stays closed all day. "
    "Readers who have lost their card may ask for another one at the counter on the first floor."
)
SOURCE_ZH = "图书馆早上八点开门，星期日全天休息。遗失读者证的人可以在一楼柜台申请补办一张新证。"
WORDS = ["tea", "cup", "garden", "rain", "street", "lamp", "river", "stone", "bread", "salt"]


@pytest.fixture(scope="module")
def simplified() -> Mapping[int, str]:
    return simplified_characters()


def passages(text: str, found: Overlap) -> list[str]:
    return [text[match.text[0] : match.text[1]] for match in found.matches]


@given(st.text(max_size=200), st.text(max_size=200))
def test_spans_stay_inside_and_the_share_is_one(text: str, other: str) -> None:
    found = find_overlap(text, other, {})
    assert 0.0 <= found.share <= 1.0
    for match in found.matches:
        assert 0 <= match.text[0] < match.text[1] <= len(text)
        assert 0 <= match.other[0] < match.other[1] <= len(other)


@given(st.text(max_size=300) | st.lists(st.sampled_from("ab 好")).map("".join))
def test_equal_texts_are_copied_whole(text: str) -> None:
    assert find_overlap(text, text, {}).share == 1.0


@given(st.lists(st.sampled_from([*WORDS, "好", "茶"]), min_size=8, max_size=60), st.data())
def test_a_passage_taken_over_is_found_whole(words: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(words) - 8))
    passage = " ".join(words[start : start + 8])
    other = "Before it: " + passage + " and after it."
    assert find_overlap(passage, other, {}).share == 1.0


def test_no_common_passage(simplified: Mapping[int, str]) -> None:
    for text, other in (
        ("She planted three apple trees behind the old house.", SOURCE),
        ("今天的股市在下午出现了明显的反弹。", SOURCE_ZH),
        ("The library is near.", "今天天气好"),
    ):
        assert find_overlap(text, other, simplified) == Overlap(0.0, ())


def test_a_common_phrase_is_no_copy() -> None:
    text = "At the end of the day the children went home, and nobody had seen the old dog again."
    other = "We met at the end of the week because the shop had been shut until then for repairs."
    assert find_overlap(text, other, {}).share == 0.0


def test_case_width_punctuation_and_invisible_characters_do_not_count() -> None:
    text = "He wrote: “ＴＨＥ library\u200b OPENS — at eight; in the morn\u00ading...”"
    found = find_overlap(text, SOURCE, {})
    assert passages(text, found) == ["ＴＨＥ library\u200b OPENS — at eight; in the morn\u00ading"]
    (match,) = found.matches
    assert SOURCE[slice(*match.other)] == "The library opens at eight in the morning"
    assert found.share > 0.75


def test_chinese_goes_by_characters_in_either_script(simplified: Mapping[int, str]) -> None:
    text = "據說，圖書館早上八點開門，星期日全天休息！其他的我不知道。"
    found = find_overlap(text, SOURCE_ZH, simplified)
    assert passages(text, found) == ["圖書館早上八點開門，星期日全天休息"]
    (match,) = found.matches
    assert SOURCE_ZH[slice(*match.other)] == "图书馆早上八点开门，星期日全天休息"


def test_a_light_edit_stays_within_the_passage_and_outside_the_share() -> None:
    text = (
        "The library opens at nine in the morning, and on Sundays it remains closed the whole day."
    )
    found = find_overlap(text, SOURCE, {})
    assert passages(text, found) == [
        "The library opens at nine in the morning, and on Sundays it remains closed"
    ] or passages(text, found) == ["The library opens at nine in the morning, and on Sundays it"]
    assert 0.5 < found.share < 0.9


def test_passages_from_different_places_are_told_apart() -> None:
    first, second = SOURCE.split(". ")
    text = f"{second} My own words come in between these two passages, and they are mine. {first}."
    found = find_overlap(text, SOURCE, {})
    assert [match.other[0] for match in found.matches] == [SOURCE.index("Readers"), 0]
    assert 0.6 < found.share < 0.9


def test_mixed_scripts_and_emoji() -> None:
    text = "我的 iPhone 14 Pro 屏幕坏了 📱💥 请帮我换一个新的"
    assert find_overlap(text, f"你好！{text}，谢谢", {}).share == 1.0
    assert find_overlap("📱💥🎉", "📱💥🎉", {}).matches != ()


def test_texts_of_signs_alone() -> None:
    assert find_overlap("?!...", "?!...", {}).share == 1.0
    assert find_overlap("?!...", "abc", {}).share == 0.0


@pytest.mark.parametrize(("source", "words"), [(SOURCE, WORDS), (SOURCE_ZH, units(SOURCE_ZH))])
def test_edited_copies_with_four_fifths_kept_are_found(source: str, words: list[str]) -> None:
    generator = random.Random(7)
    copies = [edited_copy(source, 0.2, words, generator) for _ in range(200)]
    found = [find_overlap(copy, source, {}).share >= 0.5 for copy in copies]
    assert sum(found) >= 198


@pytest.mark.parametrize("text", ["a " * 5_000, "好" * 10_000, "a b " * 2_500])
def test_monotonous_texts_are_no_trap(text: str) -> None:
    assert find_overlap(text, text, {}).share == 1.0
    assert find_overlap(text[:-1] + "x", "b " + text, {}).share > 0.9


def test_what_is_copied_from_several_counts_once(simplified: Mapping[int, str]) -> None:
    text = SOURCE + " " + SOURCE_ZH
    found = find_overlaps(text, [SOURCE, SOURCE, SOURCE_ZH, "nothing"], simplified)
    assert found.share == 1.0
    assert [one.share for one in found.each] == [
        find_overlap(text, other, simplified).share for other in (SOURCE, SOURCE, SOURCE_ZH)
    ] + [0.0]
    assert find_overlaps(text, [], simplified).share == 0.0
