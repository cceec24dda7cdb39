"""Tokens on disk: shards of two-byte integers, mapped into memory, never loaded whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.training.datasets import DataMissing
from workers.training.decoder.files import replacing, write_json

Ids = NDArray[np.uint16]
INDEX: Final = "index.json"
SHARD_TOKENS: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the tokens, such as ``train`` or the English dev part, and what is in it."""

    shards: tuple[str, ...]
    tokens: int
    documents: int
    bytes: int


def write_part(
    folder: Path,
    name: str,
    documents: Iterable[tuple[Sequence[int], int]],
    shard_tokens: int = SHARD_TOKENS,
) -> Part:
    """Write the ids of ``documents``, each with its size in bytes, one after the other.

    Shards are ``<name>-00000.npy`` and so on, of ``shard_tokens`` each but the last; a
    document may go on in the next one.
    """
    waiting: list[int] = []
    names: list[str] = []
    tokens = count = size = 0

    def put(ids: Sequence[int]) -> None:
        names.append(f"{name}-{len(names):05}.npy")
        with replacing(folder / names[-1]) as file:
            np.save(file, np.array(ids, np.uint16), allow_pickle=False)

    for ids, length in documents:
        waiting += ids
        tokens += len(ids)
        count += 1
        size += length
        while len(waiting) >= shard_tokens:
            put(waiting[:shard_tokens])
            waiting = waiting[shard_tokens:]
    if waiting:
        put(waiting)
    return Part(tuple(names), tokens, count, size)


def write_index(folder: Path, parts: dict[str, Part], **facts: Any) -> None:
    """Write what the shards are; a folder without it is not finished."""
    table = {
        name: {
            "shards": part.shards,
            "tokens": part.tokens,
            "documents": part.documents,
            "bytes": part.bytes,
        }
        for name, part in parts.items()
    }
    write_json(folder / INDEX, {**facts, "parts": table})


class Shards:
    """All parts in a folder that `preprocess` made."""

    def __init__(self, folder: Path) -> None:
        """Raises DataMissing where they are not there or not finished."""
        try:
            index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise DataMissing(f"{folder} has no {INDEX}; run the step preprocess first") from error
        self.facts: dict[str, Any] = index
        self.parts = {
            name: Part(tuple(one["shards"]), one["tokens"], one["documents"], one["bytes"])
            for name, one in index["parts"].items()
        }
        self._folder = folder

    def read(self, name: str) -> list[Ids]:
        """Map the shards of part ``name`` into memory."""
        return [
            np.load(self._folder / shard, mmap_mode="r", allow_pickle=False)
            for shard in self.parts[name].shards
        ]

    def windows(self, name: str, length: int) -> Iterator[Ids]:
        """Yield the part in pieces of ``length`` tokens, in order, the last ones shorter.

        Each piece begins with the last token of the one before in its shard, so that every
        token but a shard's first is one to predict exactly once.
        """
        for shard in self.read(name):
            for start in range(0, len(shard) - 1, length - 1):
                yield shard[start : start + length]


def training_windows(shards: Sequence[Ids], length: int, seed: int) -> Iterator[Ids]:
    """Yield pieces of ``length`` tokens without end, in an order that ``seed`` decides.

    Each round through the shards cuts them at other places. Nothing is read before it is
    looked at, so that passing over pieces is quick. Raises DataMissing if no shard has a
    piece of that length.
    """
    if not any(len(shard) >= length for shard in shards):
        raise DataMissing(
            f"the training part has less than {length} tokens in a row; lower --context or "
            "prepare more text"
        )
    epoch = 0
    while True:
        dice = np.random.default_rng([seed, epoch])
        starts = [
            np.arange(_shift(dice, len(shard), length), len(shard) - length + 1, length)
            for shard in shards
        ]
        numbers = np.repeat(np.arange(len(shards)), [len(one) for one in starts])
        places = np.concatenate(starts)
        for place in dice.permutation(len(places)):
            start = places[place]
            yield shards[numbers[place]][start : start + length]
        epoch += 1


def _shift(dice: np.random.Generator, tokens: int, length: int) -> int:
    """Where the first piece of a shard of ``tokens`` begins."""
    return int(dice.integers(max(1, min(length, tokens - length + 1))))
