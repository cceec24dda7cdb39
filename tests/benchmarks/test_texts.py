"""The texts have the mix of lengths they promise, whatever part of them is taken."""

from __future__ import annotations

from statistics import median

import pytest

from tests.benchmarks.texts import BLOCK, LONGEST, SHORTEST, text, texts, word_count


def test_texts_are_distinct_and_of_the_promised_length() -> None:
    made = list(texts(1_000))
    assert len(set(made)) == len(made)
    assert [len(one.split()) for one in made] == [word_count(number) for number in range(1_000)]


@pytest.mark.parametrize("start", [0, 3 * BLOCK, 70 * BLOCK])
def test_each_block_has_the_whole_mix(start: int) -> None:
    counts = [word_count(number) for number in range(start, start + BLOCK)]
    assert (min(counts), median(counts), max(counts)) == (SHORTEST, 26, LONGEST)


def test_texts_do_not_change() -> None:
    assert text(0) == text(0)
    assert text(0).startswith("Comment 0: ")
