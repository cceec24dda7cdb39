"""Counts of many keys in three bytes each: a hash, no keys, and a rounded logarithm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from workers.tagging.features import mix

Keys: TypeAlias = npt.NDArray[np.uint64]
Floats: TypeAlias = npt.NDArray[np.float32]

_STEPS: Final = 8
"""Steps of a logarithm to the base of 2 that are told apart: counts are right to 5%."""
_TOP: Final = 1 << 16
_PARTS: Final = ("bucket", "low", "level")


class HashedCounts:
    """Counts by 64-bit key. An absent key counts 0, but for one in some 10,000 (a collision)."""

    def __init__(self, hashes: npt.NDArray[np.uint32], levels: npt.NDArray[np.uint8]) -> None:
        """``hashes`` are sorted and distinct; ``levels`` their counts, as logarithms."""
        self._hashes = hashes
        self._levels = levels
        self._counts = np.exp2(np.arange(256, dtype=np.float32) / _STEPS).astype(np.float32)

    @classmethod
    def of(cls, counts: Mapping[int, float]) -> HashedCounts:
        """Counts, none below 1, of whole numbers below 2^64."""
        keys = np.fromiter(counts.keys(), dtype=np.uint64, count=len(counts))
        values = np.fromiter(counts.values(), dtype=np.float64, count=len(counts))
        levels = np.clip(np.rint(_STEPS * np.log2(np.maximum(values, 1.0))), 0, 255)
        hashes = _hash(keys)
        order = np.lexsort((-levels, hashes))
        hashes, levels = hashes[order], levels[order].astype(np.uint8)
        first = np.r_[True, hashes[1:] != hashes[:-1]] if hashes.size else np.zeros(0, dtype=bool)
        return cls(hashes[first], levels[first])

    def __len__(self) -> int:
        return len(self._hashes)

    def get(self, keys: Keys) -> Floats:
        """The count of each of ``keys``, in their shape.

        >>> found = HashedCounts.of({7: 1.0, 8: 100.0}).get(np.array([8, 9, 7], dtype=np.uint64))
        >>> [round(float(one)) for one in found]
        [99, 0, 1]
        """
        wanted = _hash(keys)
        if not len(self._hashes):
            return np.zeros(wanted.shape, dtype=np.float32)
        places = np.minimum(np.searchsorted(self._hashes, wanted), len(self._hashes) - 1)
        there = self._hashes[places] == wanted
        return np.where(there, self._counts[self._levels[places]], np.float32(0.0))

    def tensors(self, prefix: str) -> dict[str, torch.Tensor]:
        """What :meth:`read` takes.

        Raises:
            ValueError: the keys are so many, or so alike, that 256 begin alike.
        """
        sizes = np.bincount(self._hashes >> np.uint32(16), minlength=_TOP)
        if sizes.max() > 255:
            raise ValueError(f"{len(self)} counts are too many for one table")
        low = (self._hashes & np.uint32(0xFFFF)).astype(np.uint16)
        arrays = (sizes.astype(np.uint8), low, self._levels)
        return {
            f"{prefix}.{part}": torch.from_numpy(array)
            for part, array in zip(_PARTS, arrays, strict=True)
        }

    @classmethod
    def read(cls, tensors: Mapping[str, torch.Tensor], prefix: str) -> HashedCounts:
        """Counts as :meth:`tensors` wrote them.

        Raises:
            ValueError: a tensor is missing, or they do not belong together.
        """
        absent = [f"{prefix}.{part}" for part in _PARTS if f"{prefix}.{part}" not in tensors]
        if absent:
            raise ValueError(f"tensor {absent[0]} is missing")
        sizes, low, levels = (tensors[f"{prefix}.{part}"].numpy() for part in _PARTS)
        kinds = [str(one.dtype) for one in (sizes, low, levels)]
        shapes = (sizes.shape, low.shape)
        if kinds != ["uint8", "uint16", "uint8"] or shapes != ((_TOP,), levels.shape):
            raise ValueError(f"tensors {prefix}.* are of other types or shapes than counts have")
        if int(sizes.sum()) != len(low):
            raise ValueError(f"tensors {prefix}.* are of {int(sizes.sum())} and {len(low)} counts")
        top = np.repeat(np.arange(_TOP, dtype=np.uint32), sizes)
        return cls((top << np.uint32(16)) | low.astype(np.uint32), levels)


def _hash(keys: Keys) -> npt.NDArray[np.uint32]:
    return (mix(keys.astype(np.uint64)) >> np.uint64(32)).astype(np.uint32)
