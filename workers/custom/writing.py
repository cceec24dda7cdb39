"""Writing a classifier that goes on from a base: its tensors, and what is added to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from workers.engines.folder import CONFIG, WEIGHTS, ModelFolder
from workers.engines.tuned import is_tuned
from workers.training.classifier import SoftmaxHead


@dataclass(slots=True)
class Change:
    """What was learned, by language: added weights of n-grams or vectors, or tuned ones.

    ``tuned`` heads take the place of the base's dense weights; their bias is added. ``upper``
    are tensors of tuned layers, in the place of all that the base has of these.
    """

    ngrams: dict[str, SoftmaxHead] = field(default_factory=dict)
    dense: dict[str, SoftmaxHead] = field(default_factory=dict)
    tuned: dict[str, SoftmaxHead] = field(default_factory=dict)
    upper: Mapping[str, torch.Tensor] = field(default_factory=dict)


def write_changed(base: ModelFolder, change: Change, out: Path, facts: Mapping[str, Any]) -> None:
    """Write the base with what was learned; ``facts`` go into its config.

    Biases are stored as float32, all else as float16.
    """
    kept = {
        name: one for name, one in base.tensors.items() if not (change.upper and is_tuned(name))
    }
    tensors = {name: one.double() for name, one in kept.items()}
    for language, head in change.ngrams.items():
        tensors[f"{language}.bag"] += torch.from_numpy(head.weights)
    for language, head in change.dense.items():
        tensors[f"{language}.dense"] += torch.from_numpy(head.weights)
    for language, head in change.tuned.items():
        tensors[f"{language}.dense"] = torch.from_numpy(head.weights)
    for part in (change.ngrams, change.dense, change.tuned):
        for language, head in part.items():
            tensors[f"{language}.bias"] += torch.from_numpy(head.bias)
    tensors |= change.upper
    stored = {
        name: (one.float() if name.endswith(".bias") else one.half()).contiguous()
        for name, one in tensors.items()
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / WEIGHTS).write_bytes(save(stored))
    text = json.dumps({**base.config, **facts}, ensure_ascii=False, indent=2)
    (out / CONFIG).write_text(text + "\n", encoding="utf-8")
