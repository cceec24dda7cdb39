"""The upper layers of a frozen encoder, as they are tuned: by adapters, or whole.

The layers below do not change, so their states are computed once and every epoch pays for
the tuned layers alone.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch.nn import functional

from workers.engines.bert import ADAPTABLE, Bert, Layer
from workers.engines.encoder import SentenceEncoder
from workers.engines.packed import pack
from workers.engines.tuned import PARAMETERS, PREFIX, WHOLE
from workers.errors import ModelRefused

Report = Callable[[str], None]

_PADDED_TOKENS = 1024


class UpperLayers(torch.nn.Module):
    """The layers of ``bert`` from ``first`` on, which begin as they are and learn.

    ``learned`` are what learns; a model folder has the same names with a prefix.
    """

    prefix: str

    def __init__(self, bert: Bert, first: int) -> None:
        super().__init__()
        self._bert = bert
        self.first = first
        self.learned = torch.nn.ParameterDict()

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Vectors [texts, width] of norm 1 of padded states; ``mask`` [texts, longest]."""
        for place, layer in self._layers():
            hidden = self._through(place, layer, hidden, mask)
        summed = (hidden * mask[:, :, None]).sum(1)
        return functional.normalize(summed / mask.sum(1, keepdim=True), dim=1)

    def named(self) -> dict[str, torch.Tensor]:
        """What was learned, as a model folder names it."""
        return {name: value.detach().clone() for name, value in self._by_name().items()}

    def begin_from(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take over ``tensors`` by their names in a model folder.

        Raises:
            ModelRefused: one of them is of another shape or layer.
        """
        own = self._by_name()
        with torch.no_grad():
            for name, value in tensors.items():
                if name not in own or own[name].shape != value.shape:
                    raise ModelRefused(f"{name} {tuple(value.shape)} fits no layer that is tuned")
                own[name].copy_(value)

    @abstractmethod
    def _linear(self, place: int, layer: Layer, name: str, rows: torch.Tensor) -> torch.Tensor:
        """Return [rows, out] of the layer's weight ``name`` as it is now."""

    @abstractmethod
    def _norm(self, place: int, layer: Layer, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Weight and bias of the layer's norm ``name`` as they are now."""

    def _by_name(self) -> dict[str, torch.nn.Parameter]:
        return {self.prefix + name.replace("/", "."): one for name, one in self.learned.items()}

    def _layers(self) -> Iterator[tuple[int, Layer]]:
        yield from enumerate(self._bert.layers[self.first :], self.first)

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
        attended = self._normed(place, layer, "attended_norm", attended)
        wide = functional.gelu(
            self._linear(place, layer, "wide", attended), approximate=bert.approximate
        )
        narrow = self._linear(place, layer, "narrow", wide)
        return self._normed(place, layer, "norm", narrow + attended)

    def _normed(self, place: int, layer: Layer, name: str, rows: torch.Tensor) -> torch.Tensor:
        weight, bias = self._norm(place, layer, name)
        return functional.layer_norm(rows, (self._bert.width,), weight, bias, self._bert.epsilon)


class AdaptedLayers(UpperLayers):
    """Layers with low-rank adapters that learn (Hu et al. 2021); all else stays the encoder's.

    ``up`` begins at zero, so they begin as the encoder is.
    """

    prefix = PREFIX

    def __init__(self, bert: Bert, first: int, rank: int, dropout: float = 0.0) -> None:
        super().__init__(bert, first)
        self._dropout = dropout
        for place, layer in self._layers():
            for name in ADAPTABLE:
                outputs, inputs = getattr(layer, name).weight.shape
                down = torch.randn(rank, inputs) / math.sqrt(inputs)
                self.learned[_key(place, name, "down")] = torch.nn.Parameter(down)
                up = torch.nn.Parameter(torch.zeros(outputs, rank))
                self.learned[_key(place, name, "up")] = up

    def _linear(self, place: int, layer: Layer, name: str, rows: torch.Tensor) -> torch.Tensor:
        linear = getattr(layer, name)
        down, up = (self.learned[_key(place, name, part)] for part in ("down", "up"))
        dropped = functional.dropout(rows, self._dropout, self.training)
        added = functional.linear(functional.linear(dropped, down), up)
        return functional.linear(rows, linear.weight, linear.bias) + added

    def _norm(self, place: int, layer: Layer, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        norm = getattr(layer, name)
        return norm.weight, norm.bias


class WholeLayers(UpperLayers):
    """A copy of layers of which everything learns; adapters become part of the weights."""

    prefix = WHOLE

    def __init__(
        self, bert: Bert, layers: Sequence[Layer], first: int, dropout: float = 0.0
    ) -> None:
        """Copy ``layers``, all of an encoder's or of one that was tuned, from ``first`` on."""
        super().__init__(bert, first)
        self._dropout = dropout
        for place, layer in enumerate(layers[first:], first):
            for name in Layer._fields:
                part = getattr(layer, name)
                weight = part.weight.float().clone()
                if name in ADAPTABLE and part.adapter is not None:
                    weight += part.adapter.up.float() @ part.adapter.down.float()
                self.learned[_key(place, name, "weight")] = torch.nn.Parameter(weight)
                bias = part.bias.float().clone()
                self.learned[_key(place, name, "bias")] = torch.nn.Parameter(bias)

    def _linear(self, place: int, layer: Layer, name: str, rows: torch.Tensor) -> torch.Tensor:
        weight, bias = (self.learned[_key(place, name, part)] for part in PARAMETERS)
        found = functional.linear(rows, weight, bias)
        dropped = name in ("attended", "narrow")  # what is added to what a layer was given
        return functional.dropout(found, self._dropout, self.training) if dropped else found

    def _norm(self, place: int, layer: Layer, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return self.learned[_key(place, name, "weight")], self.learned[_key(place, name, "bias")]


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
