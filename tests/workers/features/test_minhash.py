"""Candidates for near-duplicates: edited copies are among them, other texts hardly ever."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from workers.features.han import simplified_characters
from workers.features.minhash import BANDS, band_keys
from workers.quality.edits import edited_copy

ENGLISH = [f"word{number}" for number in range(400)]
CHINESE = [chr(0x4E00 + 7 * number) for number in range(400)]


@pytest.fixture(scope="module")
def simplified() -> Mapping[int, str]:
    return simplified_characters()


def are_candidates(one: list[bytes], other: list[bytes]) -> bool:
    return any(mine == theirs for mine, theirs in zip(one, other, strict=True))


@pytest.mark.parametrize(("vocabulary", "space"), [(ENGLISH, " "), (CHINESE, "")])
def test_copies_with_four_fifths_kept_are_candidates(
    vocabulary: list[str], space: str, simplified: Mapping[int, str]
) -> None:
    generator = random.Random(7)
    texts = [space.join(generator.choices(vocabulary, k=80)) for _ in range(100)]
    keys = [band_keys(text, simplified) for text in texts]
    copies = [
        band_keys(edited_copy(text, 0.2, vocabulary, generator), simplified) for text in texts
    ]
    found = sum(are_candidates(*pair) for pair in zip(keys, copies, strict=True))
    others = sum(are_candidates(*pair) for pair in zip(keys, copies[1:], strict=False))
    assert found >= 99
    assert others <= 5


def test_script_case_and_punctuation_do_not_matter(simplified: Mapping[int, str]) -> None:
    assert band_keys("圖書館，開門了！", simplified) == band_keys("图书馆开门了", simplified)
    assert band_keys("ＴＨＥ end.", simplified) == band_keys("the END", simplified)


@pytest.mark.parametrize("text", ["", "?", "茶", "\ud800", "📦"])
def test_the_shortest_texts_have_keys(text: str, simplified: Mapping[int, str]) -> None:
    assert len(band_keys(text, simplified)) == BANDS
