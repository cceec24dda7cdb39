"""Vectors of many texts: in order, each text once, and none again that the file has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from workers.engines.packed import TokenIds
from workers.training.vectors import encode_all

TEXTS = ["茶", "a much longer text about tea", "tea", "茶", "", "tea"]


class Counting:
    """A vector is a text's length and its first code point; notes what it was asked."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.batches: list[tuple[int, int]] = []

    def tokenize(self, texts: Sequence[str]) -> list[TokenIds]:
        self.texts += texts
        return [np.array([1, *map(ord, text)], np.int32) for text in texts]

    def forward(self, batch: Sequence[TokenIds]) -> torch.Tensor:
        self.batches.append((len(batch), max(map(len, batch))))
        return torch.tensor([vector_of(ids[1:].tolist()) for ids in batch])


def vector_of(codes: Sequence[int]) -> list[float]:
    return [float(len(codes)), float(codes[0] if codes else 0)]


def wanted(texts: Sequence[str]) -> list[list[float]]:
    return [vector_of([ord(one) for one in text]) for text in texts]


def encode(
    texts: Sequence[str], cache: Path | None = None
) -> tuple[Counting, Any, list[tuple[int, int]]]:
    encoder = Counting()
    reports: list[tuple[int, int]] = []
    given: Any = encoder
    found = encode_all(given, texts, cache, lambda done, total: reports.append((done, total)))
    return encoder, found, reports


def test_vectors_are_in_order_and_each_text_is_encoded_once() -> None:
    encoder, found, reports = encode(TEXTS)
    assert found.dtype == np.float32
    assert found.tolist() == wanted(TEXTS)
    assert sorted(encoder.texts) == sorted(set(TEXTS))
    assert reports[-1] == (4, 4)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 300])
def test_every_text_is_encoded_whatever_the_batches(count: int) -> None:
    texts = [f"{number} " + "x" * (number % 90) for number in range(count)]
    encoder, found, reports = encode(texts)
    assert found.tolist() == wanted(texts)
    assert sum(size for size, _ in encoder.batches) == count
    done = [one for one, _ in reports]
    assert done == sorted(set(done)) and done[-1] == count


def test_long_texts_go_alone() -> None:
    encoder, _, _ = encode(["x" * 2_000, "y" * 1_500])
    assert encoder.batches == [(1, 1_501), (1, 2_001)]


def test_what_the_file_has_is_not_encoded_again(tmp_path: Path) -> None:
    cache = tmp_path / "vectors.npz"
    encode(TEXTS[:3], cache)
    encoder, found, _ = encode(TEXTS, cache)
    assert encoder.texts == [""]
    assert found.tolist() == wanted(TEXTS)
    written = cache.read_bytes()
    encoder, found, reports = encode(list(reversed(TEXTS)), cache)
    assert encoder.texts == [] and reports == []
    assert found.tolist() == wanted(list(reversed(TEXTS)))
    assert cache.read_bytes() == written


def test_the_file_holds_no_text(tmp_path: Path) -> None:
    cache = tmp_path / "vectors.npz"
    encode(["canary 金丝雀"], cache)
    with np.load(cache, allow_pickle=False) as stored:
        assert "canary" not in str(stored["keys"].tolist())
    assert b"canary" not in cache.read_bytes()


def test_without_a_file_nothing_is_kept(tmp_path: Path) -> None:
    encode(TEXTS)
    assert list(tmp_path.iterdir()) == []
