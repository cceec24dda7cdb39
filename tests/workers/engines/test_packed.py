"""Packing is exact: every token is found again in the rectangle, and nothing else."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from workers.engines.packed import pack

CPU = torch.device("cpu")


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20))
def test_every_token_has_its_cell(lengths: list[int]) -> None:
    texts = [np.arange(length, dtype=np.int32) + 100 * row for row, length in enumerate(lengths)]
    packed = pack(texts, CPU)
    assert packed.ids.tolist() == [one for text in texts for one in text.tolist()]
    assert packed.positions.tolist() == [place for length in lengths for place in range(length)]
    assert packed.longest == max(lengths)
    if packed.rectangle is None:
        assert len(set(lengths)) == 1
        return
    shape = (len(lengths), max(lengths))
    cells = packed.ids.index_select(0, packed.rectangle.cells)
    rectangle = cells.view(shape)
    for row, text in enumerate(texts):
        assert packed.rectangle.mask[row].tolist() == [at < len(text) for at in range(shape[1])]
        assert rectangle[row, : len(text)].tolist() == text.tolist()
    assert torch.equal(cells.index_select(0, packed.rectangle.rows), packed.ids)


def test_texts_of_one_length_need_no_rectangle() -> None:
    assert pack([np.ones(4, np.int32)] * 3, CPU).rectangle is None
