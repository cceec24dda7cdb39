"""Linear heads of one language, over hashed n-grams and an encoder's vector, and their folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import torch

from workers.engines.encoder import SentenceEncoder
from workers.engines.folder import ModelFolder
from workers.engines.labels import Activation
from workers.errors import ModelRefused
from workers.features.ngrams import NgramSpec


class Heads(torch.nn.Module):
    """All labels of one language: an embedding bag, a bias, and weights for an encoder's vector."""

    def __init__(
        self,
        labels: Sequence[str],
        spec: NgramSpec,
        width: int,
        activation: Activation = "sigmoid",
    ) -> None:
        super().__init__()
        self.activation = activation
        self.labels = tuple(labels)
        self.spec = spec
        self.width = width
        self.bag = torch.nn.EmbeddingBag(spec.buckets, len(labels), mode="sum")
        self.bias = torch.nn.Parameter(torch.zeros(len(labels)))
        self.dense = torch.nn.Parameter(torch.zeros(width, len(labels)))

    def forward(
        self,
        indices: torch.Tensor,
        weights: torch.Tensor,
        offsets: torch.Tensor,
        vectors: torch.Tensor | None,
    ) -> torch.Tensor:
        """Probabilities [texts, labels]; ``offsets`` are the starts of the bags."""
        logits = self.bag(indices, offsets, per_sample_weights=weights) + self.bias
        if vectors is not None:
            logits = logits + vectors @ self.dense
        return torch.softmax(logits, 1) if self.activation == "softmax" else torch.sigmoid(logits)


def read_heads(
    folder: ModelFolder,
    language: str,
    config: Mapping[str, Any],
    allowed: Sequence[str] | None,
    encoder: SentenceEncoder | None,
) -> Heads:
    """Make the heads of ``language`` from a checked folder; ``config`` is its part of the config.

    ``allowed`` are the labels that there may be, None allows any. Raises ModelRefused where
    config and tensors disagree in labels or shapes, or an encoder is needed and is None.
    """
    where = f"{folder.path}, language {language}"
    try:
        labels = [str(label) for label in config["labels"]]
        spec = NgramSpec(
            int(config["buckets"]), _bounds(config["characters"]), _bounds(config["words"])
        )
        needs_encoder = bool(config["encoder"])
        activation = config.get("activation", "sigmoid")
    except (KeyError, TypeError, ValueError) as error:
        raise ModelRefused(f"{where}: config.json is incomplete or wrong: {error!r}") from error
    if allowed is not None and (unknown := sorted(set(labels) - set(allowed))):
        raise ModelRefused(f"{where}: labels that the task does not know: {', '.join(unknown)}")
    if needs_encoder and encoder is None:
        raise ModelRefused(f"{where} needs an encoder, and the catalogue names none")
    if activation not in get_args(Activation):
        raise ModelRefused(
            f"{where}: activation {activation!r} is none of {', '.join(get_args(Activation))}"
        )
    width = encoder.width if encoder is not None and needs_encoder else 0
    head = Heads(labels, spec, width, activation)
    expected = {
        "bag": (head.bag.weight, (spec.buckets, len(labels))),
        "bias": (head.bias, (len(labels),)),
        "dense": (head.dense, (head.width, len(labels))),
    }
    for key, (parameter, shape) in expected.items():
        if key == "dense" and not head.width:
            continue
        tensor = folder.tensors.get(f"{language}.{key}")
        if tensor is None or tuple(tensor.shape) != shape:
            found = "missing" if tensor is None else f"of shape {tuple(tensor.shape)}"
            raise ModelRefused(
                f"{where}: tensor {language}.{key} is {found}, but {len(labels)} labels and "
                f"the config need {shape}"
            )
        parameter.data.copy_(tensor.float())
    return head


def _bounds(value: Sequence[int]) -> tuple[int, int]:
    low, high = value
    return int(low), int(high)
