"""Counts by hash: what comes back, what is absent, and tensors that do not belong together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workers.editing.counts import HashedCounts


def test_counts_come_back_within_a_step_and_survive_tensors() -> None:
    counts = {key * 977: float(key + 1) for key in range(5_000)}
    table = HashedCounts.of(counts)
    again = HashedCounts.read(table.tensors("t"), "t")
    keys = np.array(list(counts), dtype=np.uint64)
    found = table.get(keys)
    assert np.all(np.abs(found / np.array(list(counts.values())) - 1) < 0.05)
    assert np.array_equal(again.get(keys), found)
    assert len(again) == len(table) == 5_000
    absent = np.arange(1, 20_000, dtype=np.uint64) * np.uint64(977) + np.uint64(1)
    assert np.count_nonzero(table.get(absent)) < 5
    assert table.get(keys[:6].reshape(2, 3)).shape == (2, 3)


def test_an_empty_table_knows_nothing() -> None:
    table = HashedCounts.read(HashedCounts.of({}).tensors("t"), "t")
    assert table.get(np.array([1], dtype=np.uint64)).tolist() == [0.0]


def test_tensors_that_do_not_belong_together_are_named() -> None:
    good = HashedCounts.of({1: 2.0}).tensors("t")
    with pytest.raises(ValueError, match=r"tensor t\.low is missing"):
        HashedCounts.read({"t.bucket": good["t.bucket"], "t.level": good["t.level"]}, "t")
    with pytest.raises(ValueError, match="other types or shapes"):
        HashedCounts.read({**good, "t.level": good["t.level"].to(torch.int32)}, "t")
    with pytest.raises(ValueError, match="of 0 and 1 counts"):
        HashedCounts.read({**good, "t.bucket": torch.zeros(65536, dtype=torch.uint8)}, "t")


def test_too_many_counts_for_one_table_are_refused() -> None:
    table = HashedCounts(np.arange(300, dtype=np.uint32), np.zeros(300, dtype=np.uint8))
    with pytest.raises(ValueError, match="300 counts are too many"):
        table.tensors("t")
