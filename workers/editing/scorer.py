"""A small network of three layers that says how sure a correction is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch

Matrix = npt.NDArray[np.float32]
_PARTS = ("mean", "scale", "weight0", "bias0", "weight1", "bias1", "weight2", "bias2")


class Scorer:
    """Logits of rows of features: scaled, two hidden layers of rectified sums, one sum."""

    def __init__(self, parts: Mapping[str, Matrix]) -> None:
        """``parts`` are the arrays that ``_PARTS`` names; weights are [to, from]."""
        self._parts = dict(parts)

    @property
    def features(self) -> int:
        """Columns that a row must have."""
        return int(self._parts["mean"].shape[0])

    def logits(self, rows: Matrix) -> Matrix:
        """One logit a row."""
        part = self._parts
        hidden: Matrix = (rows - part["mean"]) * part["scale"]
        for layer in (0, 1):
            hidden = hidden @ part[f"weight{layer}"].T + part[f"bias{layer}"]
            hidden = np.maximum(hidden, 0)
        found: Matrix = (hidden @ part["weight2"].T + part["bias2"])[:, 0]
        return found

    @classmethod
    def read(cls, tensors: Mapping[str, torch.Tensor], prefix: str, features: int) -> Scorer:
        """A scorer of rows with so many ``features``.

        Raises:
            ValueError: a tensor is missing, or has another type or shape.
        """
        absent = [f"{prefix}.{part}" for part in _PARTS if f"{prefix}.{part}" not in tensors]
        if absent:
            raise ValueError(f"tensor {absent[0]} is missing")
        parts = {part: tensors[f"{prefix}.{part}"].numpy() for part in _PARTS}
        wide, narrow = parts["bias0"].size, parts["bias1"].size
        shapes = ((features,), (features,), (wide, features), (wide,), (narrow, wide), (narrow,))
        for part, shape in zip(_PARTS, (*shapes, (1, narrow), (1,)), strict=True):
            found = parts[part]
            if found.dtype != np.float32 or found.shape != shape:
                raise ValueError(
                    f"tensor {prefix}.{part} is {found.dtype} {found.shape}, not float32 {shape}"
                )
        return cls(parts)
