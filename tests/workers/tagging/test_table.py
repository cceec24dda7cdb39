"""The linear table: exact sums, ties, many words."""

from __future__ import annotations

import numpy as np
import torch

from workers.tagging.table import TagTable


def table(rows: list[list[int]], bias: list[int]) -> TagTable:
    return TagTable(
        ["X", "NOUN"], torch.tensor(rows, dtype=torch.int8), torch.tensor(bias, dtype=torch.int32)
    )


def test_the_largest_sum_wins_and_a_tie_takes_the_first() -> None:
    found = np.array([[0, 0], [0, 1], [2, 2]], dtype=np.int32)
    assert table([[0, 1], [5, 0], [3, 3]], [0, 0]).tag(found) == ["NOUN", "X", "X"]
    assert table([[0, 1], [5, 0], [3, 3]], [0, 9]).tag(found) == ["NOUN", "NOUN", "NOUN"]


def test_sums_do_not_wrap_at_the_width_of_a_weight() -> None:
    found = np.zeros((1, 40), dtype=np.int32)
    assert table([[127, -128]], [0, 0]).tag(found) == ["X"]


def test_many_words_and_none() -> None:
    one = table([[1, 0], [0, 1]], [0, 0])
    found = np.arange(5_000, dtype=np.int32).reshape(-1, 1) % 2
    assert one.tag(found) == ["X", "NOUN"] * 2_500
    assert one.tag(found[:0]) == []
    assert one.buckets == 2
