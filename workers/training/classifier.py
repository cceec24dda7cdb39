"""Linear heads of which a text gets one label, and the folder that they are written to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save

from workers.engines.folder import CONFIG, WEIGHTS
from workers.features.ngrams import NgramSpec

Floats: TypeAlias = npt.NDArray[np.float64]
NO_NGRAMS = NgramSpec(buckets=2, characters=(0, 0), words=(0, 0))
"""For heads that look at an encoder's vector alone."""


@dataclass(frozen=True, slots=True)
class SoftmaxHead:
    """Logits = features · ``weights`` [features, labels] + ``bias`` [labels]."""

    weights: Floats
    bias: Floats

    def logits(self, features: Any) -> Floats:
        """One logit a row of ``features`` and label."""
        found: Floats = features @ self.weights + self.bias
        return found

    def scaled(self, factor: float) -> SoftmaxHead:
        """The head whose logits are ``factor`` times as large."""
        return SoftmaxHead(self.weights * factor, self.bias * factor)


@dataclass(frozen=True, slots=True)
class LanguageHeads:
    """What one language of a text classifier is made of; logits of both parts add up."""

    labels: Sequence[str]
    spec: NgramSpec
    ngrams: SoftmaxHead | None
    dense: SoftmaxHead | None


def save_classifier(
    out: Path,
    languages: Mapping[str, LanguageHeads],
    facts: Mapping[str, Any],
    adapters: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """Write ``config.json`` and ``model.safetensors`` for the text-classifier engine.

    ``facts`` go into the config as they are. ``adapters`` are those of tuned layers.
    Biases are stored as float32, all else as float16.
    """
    tensors = {name: tensor.half().contiguous() for name, tensor in (adapters or {}).items()}
    tables: dict[str, Any] = {}
    for language, heads in languages.items():
        count = len(heads.labels)
        bag = np.zeros((heads.spec.buckets, count))
        bias = np.zeros(count)
        for part in (heads.ngrams, heads.dense):
            bias = bias if part is None else bias + part.bias
        bag = bag if heads.ngrams is None else heads.ngrams.weights
        tensors[f"{language}.bag"] = torch.from_numpy(bag).half().contiguous()
        tensors[f"{language}.bias"] = torch.from_numpy(bias).float()
        if heads.dense is not None:
            dense = torch.from_numpy(heads.dense.weights)
            tensors[f"{language}.dense"] = dense.half().contiguous()
        tables[language] = {
            "labels": list(heads.labels),
            "activation": "softmax",
            "buckets": heads.spec.buckets,
            "characters": list(heads.spec.characters),
            "words": list(heads.spec.words),
            "encoder": heads.dense is not None,
        }
    out.mkdir(parents=True, exist_ok=True)
    (out / WEIGHTS).write_bytes(save(tensors))
    text = json.dumps({**facts, "languages": tables}, ensure_ascii=False, indent=2)
    (out / CONFIG).write_text(text + "\n", encoding="utf-8")
