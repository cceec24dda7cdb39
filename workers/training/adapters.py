"""Tuning the upper layers of a frozen encoder by low-rank adapters (Hu et al. 2021).

The layers below do not change, so their states are computed once and every epoch pays for
the tuned layers alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from workers.engines.bert import ADAPTABLE, Bert, Layer, Norm
from workers.engines.encoder import SentenceEncoder
from workers.engines.packed import pack
from workers.engines.tuned import PREFIX
from workers.errors import ModelRefused
from workers.training.classifier import SoftmaxHead

Report = Callable[[str], None]

_PADDED_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class AdapterRecipe:
    """How the layers from ``first`` on are tuned. Rates are AdamW's, falling to 0."""

    first: int
    rank: int = 16
    epochs: int = 3
    rate: float = 1e-3
    head_rate: float = 3e-3
    batch: int = 32
    dropout: float = 0.1


@dataclass(frozen=True)
class Tuned:
    """What was learned: adapters by their names in a model folder, and the head over them."""

    adapters: dict[str, torch.Tensor]
    head: SoftmaxHead


class TunableTop(torch.nn.Module):
    """The layers of an encoder from ``first`` on, with adapters that learn.

    ``up`` begins at zero, so it begins as the encoder is.
    """

    def __init__(self, bert: Bert, first: int, rank: int, dropout: float = 0.0) -> None:
        super().__init__()
        self._bert = bert
        self._first = first
        self._dropout = dropout
        self.adapters = torch.nn.ParameterDict()
        for place, layer in self._layers():
            for name in ADAPTABLE:
                outputs, inputs = getattr(layer, name).weight.shape
                down = torch.randn(rank, inputs) / math.sqrt(inputs)
                self.adapters[_key(place, name, "down")] = torch.nn.Parameter(down)
                up = torch.nn.Parameter(torch.zeros(outputs, rank))
                self.adapters[_key(place, name, "up")] = up

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Vectors [texts, width] of norm 1 of padded states; ``mask`` [texts, longest]."""
        for place, layer in self._layers():
            hidden = self._through(place, layer, hidden, mask)
        summed = (hidden * mask[:, :, None]).sum(1)
        return functional.normalize(summed / mask.sum(1, keepdim=True), dim=1)

    def named_adapters(self) -> dict[str, torch.Tensor]:
        """The adapters as a model folder names them."""
        return {
            PREFIX + name.replace("/", "."): value.detach().clone()
            for name, value in self.adapters.items()
        }

    def begin_from(self, adapters: Mapping[str, torch.Tensor]) -> None:
        """Take over ``adapters`` by their names in a model folder.

        Raises:
            ModelRefused: one of them is of another rank or layer.
        """
        own = {PREFIX + name.replace("/", "."): value for name, value in self.adapters.items()}
        with torch.no_grad():
            for name, value in adapters.items():
                if name not in own or own[name].shape != value.shape:
                    raise ModelRefused(f"{name} {tuple(value.shape)} fits no layer that is tuned")
                own[name].copy_(value)

    def _layers(self) -> Iterator[tuple[int, Layer]]:
        yield from enumerate(self._bert.layers[self._first :], self._first)

    def _through(
        self, place: int, layer: Layer, hidden: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        bert = self._bert
        shape = (*hidden.shape[:2], bert.heads, bert.width // bert.heads)
        query, key, value = (
            self._linear(place, layer, name, hidden).view(shape).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        found = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask[:, None, None, :]
        )
        found = found.transpose(1, 2).reshape(hidden.shape)
        attended = self._linear(place, layer, "attended", found) + hidden
        attended = self._normed(attended, layer.attended_norm)
        wide = functional.gelu(
            self._linear(place, layer, "wide", attended), approximate=bert.approximate
        )
        return self._normed(self._linear(place, layer, "narrow", wide) + attended, layer.norm)

    def _linear(self, place: int, layer: Layer, name: str, rows: torch.Tensor) -> torch.Tensor:
        linear = getattr(layer, name)
        down, up = (self.adapters[_key(place, name, part)] for part in ("down", "up"))
        dropped = functional.dropout(rows, self._dropout, self.training)
        added = functional.linear(functional.linear(dropped, down), up)
        return functional.linear(rows, linear.weight, linear.bias) + added

    def _normed(self, rows: torch.Tensor, norm: Norm) -> torch.Tensor:
        bert = self._bert
        return functional.layer_norm(rows, (bert.width,), norm.weight, norm.bias, bert.epsilon)


def lower_states(
    encoder: SentenceEncoder, texts: Sequence[str], first: int, report: Report
) -> list[torch.Tensor]:
    """Hidden states [tokens, width], as float16, that layer ``first`` gets of each text."""
    bert = bert_of(encoder)
    ids = encoder.tokenize(texts)
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    found: dict[int, torch.Tensor] = {}
    while len(found) < len(order):
        begin = len(found)
        longest = len(ids[order[min(begin + 63, len(order) - 1)]])
        rows = order[begin : begin + max(1, _PADDED_TOKENS // longest)]
        batch = pack([ids[row] for row in rows], encoder.trunk.device)
        with torch.no_grad():
            hidden = bert.through(bert.layers[:first], bert.embed(batch), batch)
        parts = torch.split(hidden.half(), [len(ids[row]) for row in rows])
        found.update(zip(rows, (part.clone() for part in parts), strict=True))
        if begin // 4096 != len(found) // 4096:
            report(f"{len(found)} of {len(order)} texts through the lower layers")
    return [found[row] for row in range(len(order))]


def padded(states: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """States [texts, longest, width] as float32, and which cells are tokens."""
    hidden = torch.nn.utils.rnn.pad_sequence(list(states), batch_first=True).float()
    lengths = torch.tensor([len(one) for one in states])
    return hidden, torch.arange(hidden.shape[1]) < lengths[:, None]


def bert_of(encoder: SentenceEncoder) -> Bert:
    """The encoder's layers; raises ModelRefused where they are none of BERT's."""
    bert = encoder.trunk.architecture
    if not isinstance(bert, Bert):
        raise ModelRefused("only the layers of a BERT or RoBERTa can be tuned")
    return bert


def _key(place: int, name: str, part: str) -> str:
    return f"{place}/{name}/{part}"  # a ParameterDict takes no dots
