"""Whole tuned layers in little room: what their weights changed by, as adapters."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from workers.engines.bert import ADAPTABLE, Bert
from workers.engines.tuned import PREFIX, WHOLE


def reduced(tensors: Mapping[str, torch.Tensor], bert: Bert, rank: int) -> dict[str, torch.Tensor]:
    """``tensors`` of whole layers of ``bert``, each matrix by what it differs from the encoder's.

    The difference is the nearest one of ``rank`` (Eckart and Young 1936), as an adapter; biases
    and norms stay as they are. ``down`` and ``up`` share the singular values evenly, so that both
    keep their precision as float16.
    """
    found: dict[str, torch.Tensor] = {}
    for name, one in tensors.items():
        place, part, parameter = name.removeprefix(WHOLE).split(".")
        if part not in ADAPTABLE or parameter != "weight":
            found[name] = one
            continue
        before = getattr(bert.layers[int(place)], part).weight.float()
        left, values, right = torch.linalg.svd(one - before, full_matrices=False)
        scale = values[:rank].sqrt()
        found[f"{PREFIX}{place}.{part}.down"] = scale[:, None] * right[:rank]
        found[f"{PREFIX}{place}.{part}.up"] = left[:, :rank] * scale
    return found
