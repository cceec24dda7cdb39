"""Tuned upper layers over a shared encoder: what a model has of its own, and nothing else.

A model folder names low-rank adapters ``adapter.<layer>.<weight>.down`` and ``.up``, and weights
in the place of the encoder's ``layer.<layer>.<part>.weight`` and ``.bias``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from workers.engines.bert import ADAPTABLE, Adapter, Bert, Layer
from workers.engines.folder import ModelFolder
from workers.errors import ModelRefused

PREFIX: Final = "adapter."
"""What the names of adapters begin with."""
WHOLE: Final = "layer."
"""What the names of weights begin with that take the place of the encoder's."""
PARAMETERS: Final = ("weight", "bias")


@dataclass(frozen=True, eq=False)
class TunedTop:
    """All layers of an encoder, those from ``first`` on tuned.

    The weights under adapters are the encoder's own, held once. ``own`` are the tensors that
    the encoder does not have.
    """

    first: int
    layers: Sequence[Layer]
    own: Sequence[torch.Tensor] = ()


def is_tuned(name: str) -> bool:
    """Whether a tensor of a model folder is one of tuned layers."""
    return name.startswith((PREFIX, WHOLE))


def read_top(folder: ModelFolder, encoder: object) -> TunedTop | None:
    """Return the tuned layers of ``folder``; None where it has none.

    Raises as :func:`make_top`.
    """
    return make_top(folder.tensors, encoder, str(folder.path))


def make_top(tensors: Mapping[str, torch.Tensor], encoder: object, where: str) -> TunedTop | None:
    """Return the layers that the tuned ones among ``tensors`` make; None where there are none.

    They stand on the weights of ``encoder``, the architecture of a trunk, and are of its
    device and dtype. ``where`` is what messages call the tensors' place.

    Raises:
        ModelRefused: the encoder is no BERT or RoBERTa, or a tensor does not fit it.
    """
    tuned = {name: one for name, one in tensors.items() if is_tuned(name)}
    if not tuned:
        return None
    if not isinstance(encoder, Bert):
        raise ModelRefused(
            f"{where} tunes layers of its encoder, which has to be a BERT or RoBERTa for that"
        )
    reader = _Reader(tuned, where)
    layers = [reader.layer(place, layer) for place, layer in enumerate(encoder.layers)]
    if reader.left:
        raise ModelRefused(
            f"{where}: {min(reader.left)} names no weight of an encoder of {len(layers)} layers"
        )
    first = next(place for place, layer in enumerate(layers) if layer is not encoder.layers[place])
    return TunedTop(first, layers, reader.made)


class _Reader:
    """Takes tensors by name; ``left`` are those that nobody asked for."""

    def __init__(self, tensors: Mapping[str, torch.Tensor], where: str) -> None:
        self._tensors = tensors
        self._where = where
        self.left = set(tensors)
        self.made: list[torch.Tensor] = []

    def layer(self, place: int, layer: Layer) -> Layer:
        """The layer with what there is for it; itself where that is nothing."""
        changed: dict[str, Any] = {}
        for name in Layer._fields:
            part = getattr(layer, name)
            whole: dict[str, Any] = dict(self._whole(f"{WHOLE}{place}.{name}.", part))
            if name in ADAPTABLE and (adapter := self._adapter(place, name, part.weight)):
                whole["adapter"] = adapter
            if whole:
                changed[name] = part._replace(**whole)
        return layer._replace(**changed) if changed else layer

    def _whole(self, prefix: str, part: Any) -> Iterator[tuple[str, torch.Tensor]]:
        for parameter in PARAMETERS:
            given = self._tensors.get(prefix + parameter)
            if given is None:
                continue
            known: torch.Tensor = getattr(part, parameter)
            if given.shape != known.shape:
                raise ModelRefused(
                    f"{self._where}: {prefix}{parameter} {tuple(given.shape)} does not fit the "
                    f"encoder's {tuple(known.shape)}"
                )
            self.left.discard(prefix + parameter)
            yield parameter, self._taken(given, known)

    def _adapter(self, place: int, name: str, weight: torch.Tensor) -> Adapter | None:
        names = [f"{PREFIX}{place}.{name}.{part}" for part in Adapter._fields]
        if self.left.isdisjoint(names):
            return None
        down, up = (self._tensors.get(one, torch.zeros(0)) for one in names)
        outputs, inputs = weight.shape
        if down.ndim != 2 or down.shape != (len(down), inputs) or up.shape != (outputs, len(down)):
            raise ModelRefused(
                f"{self._where}: {names[0]} {tuple(down.shape)} and {names[1]} {tuple(up.shape)} "
                f"are no adapter of a weight {tuple(weight.shape)}"
            )
        self.left.difference_update(names)
        return Adapter(self._taken(down, weight), self._taken(up, weight))

    def _taken(self, given: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        found = given.to(like)
        self.made.append(found)
        return found
