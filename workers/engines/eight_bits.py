"""Weights as whole numbers of eight bits with a scale a column, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch

SCALE: Final = ".int8-scale"
"""What the name of a tensor's scales [columns] ends with."""
_LEAST: Final = 256
"""Numbers below which a tensor is not worth it."""


def in_eight_bits(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tables of floats as int8, each column over its largest number; all else as it is.

    >>> table = torch.linspace(-1, 1, 512).view(256, 2)
    >>> made = in_eight_bits({"w": table, "b": torch.ones(2)})
    >>> made["w"].dtype, made["w.int8-scale"].shape, made["b"].dtype
    (torch.int8, torch.Size([2]), torch.float32)
    >>> bool((from_eight_bits(made)["w"] - table).abs().max() < 0.005)
    True
    """
    found: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.ndim != 2 or tensor.numel() < _LEAST or not tensor.is_floating_point():
            found[name] = tensor
            continue
        values = tensor.float()
        scale = values.abs().amax(0).clamp(min=1e-12) / 127
        found[name] = (values / scale).round().to(torch.int8)
        found[name + SCALE] = scale
    return found


def from_eight_bits(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The inverse, but for what rounding lost; tensors without scales are as they were.

    Raises:
        ValueError: scales do not fit their tensor, or have none.
    """
    found = {name: one for name, one in tensors.items() if not name.endswith(SCALE)}
    for name, scale in tensors.items():
        if not name.endswith(SCALE):
            continue
        table = found.get(name.removesuffix(SCALE))
        if table is None or table.dtype != torch.int8 or table.shape[1:] != scale.shape:
            raise ValueError(f"{name} fits no table of int8")
        found[name.removesuffix(SCALE)] = table.float() * scale
    return found
