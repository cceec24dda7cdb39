"""A block has one owner, and none is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.generation.blocks import BlockPool


@given(st.lists(st.integers(0, 5), max_size=30), st.data())
def test_owners_never_share(sizes: list[int], data: st.DataObject) -> None:
    pool = BlockPool(12, 16)
    owned: list[list[int]] = []
    for size in sizes:
        while size > pool.free:
            pool.give_back(owned.pop(data.draw(st.integers(0, len(owned) - 1))))
        owned.append(pool.take(size))
        given_out = [block for blocks in owned for block in blocks]
        assert len(set(given_out)) == len(given_out) == 12 - pool.free
        assert set(given_out) <= set(range(1, 13))


def test_more_than_is_free_is_refused() -> None:
    pool = BlockPool(2, 16)
    with pytest.raises(ValueError, match="3 blocks were asked for and 2 are free"):
        pool.take(pool.needed(33))
    assert pool.free == 2
