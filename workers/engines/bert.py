"""BERT and RoBERTa encoders over packed tokens: plain torch, straight from safetensors.

The same sums as ``transformers``' ``BertModel``, ``RobertaModel`` and ``XLMRobertaModel``
without the 150 MB that importing those costs, and with padding in attention alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import torch
from torch.nn import functional

from workers.engines.packed import Packed, Rectangle
from workers.errors import ModelRefused

Read = Callable[[str], torch.Tensor]
"""Gives a tensor of the checkpoint by its name, on the device and of the dtype to run in."""

_ROWS_AT_ONCE: Final = 256
"""Tokens that go through a feed-forward block together on a CPU.

Their 1,536 or 3,072 wide hidden states then stay in the cache, and a worker's memory does
not grow with the micro-batch (docs/adr/0010-models-in-one-process.md)."""

_ACTIVATIONS: Final[Mapping[str, str]] = {
    "gelu": "none",
    "gelu_new": "tanh",
    "gelu_pytorch_tanh": "tanh",
}
_POSITIONS_AFTER_PADDING: Final[Mapping[str, bool]] = {
    "bert": False,
    "roberta": True,
    "xlm-roberta": True,
}


class Norm(NamedTuple):
    """A layer norm."""

    weight: torch.Tensor
    bias: torch.Tensor


class Adapter(NamedTuple):
    """What is added to a weight [out, in]: ``up`` [out, rank] times ``down`` [rank, in].

    Low-rank adaptation, Hu et al. 2021; its scale is part of ``up``.
    """

    down: torch.Tensor
    up: torch.Tensor


class _Linear(NamedTuple):
    weight: torch.Tensor
    bias: torch.Tensor
    adapter: Adapter | None = None

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Return [rows, out] for ``rows`` [rows, in]."""
        found = functional.linear(rows, self.weight, self.bias)
        if self.adapter is not None:
            narrow = functional.linear(rows, self.adapter.down)
            found.addmm_(narrow, self.adapter.up.t())
        return found


class Layer(NamedTuple):
    """One transformer layer. The fields named in ADAPTABLE may carry adapters."""

    query: _Linear
    key: _Linear
    value: _Linear
    attended: _Linear
    attended_norm: Norm
    wide: _Linear
    narrow: _Linear
    norm: Norm


ADAPTABLE: Final = ("query", "key", "value", "attended", "wide", "narrow")
"""Weight matrices of a layer, by the names that adapters have in a model folder."""


class Bert:
    """One encoder; see :class:`workers.engines.trunk.Architecture`."""

    def __init__(self, config: Mapping[str, Any], read: Read) -> None:
        """Take the tensors that ``config`` calls for; an unused pooler is never read.

        Raises:
            ModelRefused: a value of ``config`` is missing, or shapes contradict it.
        """
        try:
            self.width = int(config["hidden_size"])
            self.heads = int(config["num_attention_heads"])
            layers = int(config["num_hidden_layers"])
            self.epsilon = float(config["layer_norm_eps"])
            self.approximate = _ACTIVATIONS[config["hidden_act"]]
            after_padding = _POSITIONS_AFTER_PADDING[config["model_type"]]
            skipped = int(config["pad_token_id"]) + 1 if after_padding else 0
        except (KeyError, TypeError, ValueError) as error:
            raise ModelRefused(f"the encoder's config.json is incomplete: {error!r}") from error
        self._words = read("embeddings.word_embeddings.weight")
        positions = read("embeddings.position_embeddings.weight")[skipped:]
        kind = read("embeddings.token_type_embeddings.weight")[0]
        self._positions = positions + kind
        self._norm = _norm(read, "embeddings.LayerNorm")
        self.layers = [_layer(read, f"encoder.layer.{place}.") for place in range(layers)]
        self.vocabulary = len(self._words)
        self.most_tokens = len(positions)
        if self._words.shape[1] != self.width or self.width % self.heads:
            raise ModelRefused(
                f"the encoder's config.json says {self.width} wide and {self.heads} heads, its "
                f"embeddings are {self._words.shape[1]} wide"
            )

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield all weights."""
        yield from (self._words, self._positions, *self._norm)
        for layer in self.layers:
            for part in layer:
                yield from part[:2]

    def __call__(self, batch: Packed) -> torch.Tensor:
        """Return hidden states [tokens, width]; ``batch`` is on the device of the weights."""
        return self.through(self.layers, self.embed(batch), batch)

    def embed(self, batch: Packed) -> torch.Tensor:
        """Return what the first layer takes: [tokens, width]."""
        hidden = functional.embedding(batch.ids, self._words)
        hidden += functional.embedding(batch.positions, self._positions)
        return self._normed(hidden, self._norm)

    def through(self, layers: Sequence[Layer], hidden: torch.Tensor, batch: Packed) -> torch.Tensor:
        """Take ``hidden`` [tokens, width] of ``batch`` through ``layers``; it is overwritten."""
        mask = None if batch.rectangle is None else batch.rectangle.mask[:, None, None, :]
        for layer in layers:
            attended = self._attend(layer, hidden, batch, mask)
            for part, attention in zip(_blocks(hidden), _blocks(attended), strict=True):
                part.copy_(self._feed_forward(layer, part, attention))
        return hidden

    def words(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the word embeddings [tokens, width] of ``ids`` [tokens]."""
        return functional.embedding(ids, self._words)

    def from_words(
        self, layers: Sequence[Layer], words: torch.Tensor, batch: Packed
    ) -> torch.Tensor:
        """As a call, from word embeddings [tokens, width] in place of the ids of ``batch``.

        Autograd can go back through it: nothing is overwritten, so it takes more memory.
        """
        hidden = self._normed(
            words + functional.embedding(batch.positions, self._positions), self._norm
        )
        mask = None if batch.rectangle is None else batch.rectangle.mask[:, None, None, :]
        for layer in layers:
            hidden = self._feed_forward(layer, hidden, self._attend(layer, hidden, batch, mask))
        return hidden

    def _attend(
        self, layer: Layer, hidden: torch.Tensor, batch: Packed, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Softmax(QKᵀ/√d_k)V for all heads [tokens, width] (Vaswani et al. 2017)."""
        shape = (len(batch.starts), batch.longest, self.heads, self.width // self.heads)
        rectangle = batch.rectangle

        def padded(linear: _Linear) -> torch.Tensor:
            rows = linear(hidden)
            if rectangle is not None:
                rows = rows.index_select(0, rectangle.cells)
            return rows.view(shape).transpose(1, 2)

        found = functional.scaled_dot_product_attention(
            padded(layer.query), padded(layer.key), padded(layer.value), attn_mask=mask
        )
        return _packed(found.transpose(1, 2).reshape(-1, self.width), rectangle)

    def _feed_forward(
        self, layer: Layer, hidden: torch.Tensor, attention: torch.Tensor
    ) -> torch.Tensor:
        attended = self._normed(layer.attended(attention).add_(hidden), layer.attended_norm)
        wide = functional.gelu(layer.wide(attended), approximate=self.approximate)
        return self._normed(layer.narrow(wide).add_(attended), layer.norm)

    def _normed(self, hidden: torch.Tensor, norm: Norm) -> torch.Tensor:
        return functional.layer_norm(hidden, (self.width,), *norm, self.epsilon)


def is_bert(config: Mapping[str, Any]) -> bool:
    """Whether :class:`Bert` computes what ``config`` describes.

    >>> is_bert({"model_type": "roberta", "hidden_act": "gelu"})
    True
    >>> is_bert({"model_type": "bert", "hidden_act": "relu"}), is_bert({"model_type": "t5"})
    (False, False)
    """
    return (
        config.get("model_type") in _POSITIONS_AFTER_PADDING
        and config.get("hidden_act") in _ACTIVATIONS
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder", False)
    )


def _layer(read: Read, prefix: str) -> Layer:
    return Layer(
        _linear(read, prefix + "attention.self.query"),
        _linear(read, prefix + "attention.self.key"),
        _linear(read, prefix + "attention.self.value"),
        _linear(read, prefix + "attention.output.dense"),
        _norm(read, prefix + "attention.output.LayerNorm"),
        _linear(read, prefix + "intermediate.dense"),
        _linear(read, prefix + "output.dense"),
        _norm(read, prefix + "output.LayerNorm"),
    )


def _linear(read: Read, name: str) -> _Linear:
    return _Linear(read(f"{name}.weight"), read(f"{name}.bias"))


def _norm(read: Read, name: str) -> Norm:
    return Norm(read(f"{name}.weight"), read(f"{name}.bias"))


def _blocks(rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Views of ``rows`` that are computed one after the other; a GPU takes all at once."""
    if rows.device.type != "cpu":
        return (rows,)
    return torch.split(rows, _ROWS_AT_ONCE * max(1, torch.get_num_threads() // 2))


def _packed(cells: torch.Tensor, rectangle: Rectangle | None) -> torch.Tensor:
    return cells if rectangle is None else cells.index_select(0, rectangle.rows)
