"""Tokens on disk: what is written is read, in windows that cover all of it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from workers.training.datasets import DataMissing
from workers.training.decoder.shards import (
    Part,
    Shards,
    training_windows,
    write_index,
    write_part,
)

DOCUMENTS = [([1, *range(10, 10 + size), 2], size) for size in (3, 40, 1, 17)]
TOKENS = [token for ids, _ in DOCUMENTS for token in ids]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    part = write_part(tmp_path, "train", DOCUMENTS, shard_tokens=20)
    assert part == Part(tuple(f"train-0000{number}.npy" for number in range(4)), len(TOKENS), 4, 61)
    write_index(tmp_path, {"train": part}, vocabulary=60)
    return tmp_path


def test_shards_hold_all_tokens_in_order_without_pickles(folder: Path) -> None:
    shards = Shards(folder)
    assert [len(shard) for shard in shards.read("train")] == [20, 20, 20, 9]
    assert np.concatenate(shards.read("train")).tolist() == TOKENS
    assert all(isinstance(shard, np.memmap) for shard in shards.read("train"))
    assert shards.facts["vocabulary"] == 60
    assert not list(folder.glob("*.part"))


def test_every_token_but_a_first_one_is_predicted_once(folder: Path) -> None:
    shards = Shards(folder)
    predicted = [token for one in shards.windows("train", 8) for token in one[1:].tolist()]
    wanted = [token for shard in shards.read("train") for token in shard[1:].tolist()]
    assert predicted == wanted
    assert all(2 <= len(one) <= 8 for one in shards.windows("train", 8))


def test_what_is_not_finished_is_not_read(tmp_path: Path) -> None:
    write_part(tmp_path, "train", DOCUMENTS)
    with pytest.raises(DataMissing, match="run the step preprocess first"):
        Shards(tmp_path)


def test_the_seed_decides_the_order(folder: Path) -> None:
    shards = Shards(folder).read("train")

    def first(seed: int, count: int = 12) -> list[list[int]]:
        return [one.tolist() for one in islice(training_windows(shards, 6, seed), count)]

    assert first(1) == first(1)
    assert first(1) != first(2)
    assert {len(one) for one in first(1)} == {6}
    assert first(1, 40)[20:] == [
        one.tolist() for one in islice(training_windows(shards, 6, 1), 20, 40)
    ]
    # Each round cuts at other places, so nearly every token comes to be looked at.
    seen = {token for one in first(3, 60) for token in one}
    assert len(seen) > 0.9 * len(set(TOKENS))


def test_too_little_text_is_told(folder: Path) -> None:
    with pytest.raises(DataMissing, match="less than 21 tokens in a row; lower --context"):
        next(training_windows(Shards(folder).read("train"), 21, 0))
