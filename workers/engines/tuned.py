"""Tuned top layers over a shared encoder: low-rank adapters, and nothing else of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from workers.engines.bert import ADAPTABLE, Adapter, Bert, Layer
from workers.engines.folder import ModelFolder
from workers.errors import ModelRefused

PREFIX: Final = "adapter."
"""What the names of adapters begin with: ``adapter.<layer>.<weight>.down`` and ``.up``."""


@dataclass(frozen=True, eq=False)
class TunedTop:
    """All layers of an encoder, those from ``first`` on with adapters.

    The weights under the adapters are the encoder's own, held once.
    """

    first: int
    layers: Sequence[Layer]

    def adapters(self) -> Iterator[torch.Tensor]:
        """Yield the tensors that the encoder does not have."""
        for layer in self.layers[self.first :]:
            for name in ADAPTABLE:
                yield from getattr(layer, name).adapter or ()


def read_top(folder: ModelFolder, encoder: object) -> TunedTop | None:
    """Return the tuned layers of ``folder``; None where it has no adapters.

    They stand on the weights of ``encoder``, the architecture of a trunk, and are of its
    device and dtype.

    Raises:
        ModelRefused: the encoder is no BERT or RoBERTa, or an adapter does not fit it.
    """
    found = {name for name in folder.tensors if name.startswith(PREFIX)}
    if not found:
        return None
    if not isinstance(encoder, Bert):
        raise ModelRefused(
            f"{folder.path} tunes layers of its encoder, which has to be a BERT or RoBERTa for that"
        )
    layers = []
    for place, layer in enumerate(encoder.layers):
        adapted = {}
        for name in ADAPTABLE:
            names = [f"{PREFIX}{place}.{name}.{part}" for part in Adapter._fields]
            if found.isdisjoint(names):
                continue
            linear = getattr(layer, name)
            adapter = _adapter(folder, names, linear.weight)
            adapted[name] = linear._replace(adapter=adapter)
            found.difference_update(names)
        layers.append(layer._replace(**adapted) if adapted else layer)
    if found:
        raise ModelRefused(
            f"{folder.path}: {min(found)} names no weight of an encoder of {len(layers)} layers"
        )
    first = next(place for place, layer in enumerate(layers) if layer is not encoder.layers[place])
    return TunedTop(first, layers)


def _adapter(folder: ModelFolder, names: Sequence[str], weight: torch.Tensor) -> Adapter:
    tensors = [folder.tensors.get(name) for name in names]
    down, up = (torch.zeros(0) if one is None else one for one in tensors)
    outputs, inputs = weight.shape
    if down.ndim != 2 or down.shape != (len(down), inputs) or up.shape != (outputs, len(down)):
        raise ModelRefused(
            f"{folder.path}: {names[0]} {tuple(down.shape)} and {names[1]} {tuple(up.shape)} are "
            f"no adapter of a weight {tuple(weight.shape)}"
        )
    return Adapter(down.to(weight), up.to(weight))
