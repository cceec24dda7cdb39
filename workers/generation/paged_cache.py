"""Keys and values of all running requests in blocks of fixed size, behind transformers' Cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

_NOTHING: Final = 0
"""Slot that is read for what a request does not have; never written, so always zero."""
_WASTE: Final = 1
"""Slot that padding is written to; never read, so a broken request cannot spoil another."""
_ALIGNMENT: Final = 8
"""Keys are padded to a multiple of this; fused attention on a GPU wants it."""


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens of one request that go through the model now.

    ``start`` is the position of the first of them, ``blocks`` are the request's own in the
    cache, enough for all its tokens up to the last of these.
    """

    tokens: Sequence[int]
    start: int
    blocks: Sequence[int]

    @property
    def end(self) -> int:
        """Tokens that the request has in the cache afterwards."""
        return self.start + len(self.tokens)


@dataclass(frozen=True, slots=True)
class Layout:
    """One forward pass over several spans, as tensors on the device.

    Spans are padded on the left, so that the last column is the last token of each.

    Shapes, for ``rows`` spans of at most ``columns`` tokens and ``keys`` cached ones:
    ``tokens`` and ``positions`` [rows, columns]; ``mask`` [rows, 1, columns, keys], true
    where a token looks at a key; ``write`` [rows * columns] and ``read`` [rows * keys]
    are slots of the cache.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    write: torch.Tensor
    read: torch.Tensor

    @classmethod
    def of(cls, spans: Sequence[Span], block_tokens: int, device: torch.device) -> Layout:
        """Lay out ``spans`` for a cache whose blocks hold ``block_tokens`` tokens."""
        columns = max(len(span.tokens) for span in spans)
        longest = max(span.end for span in spans)
        keys = -(-longest // _ALIGNMENT) * _ALIGNMENT
        rows = len(spans)
        tokens = torch.zeros((rows, columns), dtype=torch.long)
        positions = torch.zeros((rows, columns), dtype=torch.long)
        write = torch.full((rows, columns), _WASTE, dtype=torch.long)
        read = torch.full((rows, keys), _NOTHING, dtype=torch.long)
        inside = torch.arange(block_tokens)
        for row, span in enumerate(spans):
            first = columns - len(span.tokens)
            tokens[row, first:] = torch.tensor(span.tokens)
            positions[row, first:] = torch.arange(span.start, span.end)
            blocks = torch.tensor(span.blocks[: -(-span.end // block_tokens)])
            slots = (blocks[:, None] * block_tokens + inside).view(-1)[: span.end]
            read[row, : span.end] = slots
            write[row, first:] = slots[span.start :]
        # Padding has position 0 and so looks at the first key alone: something finite.
        mask = torch.arange(keys)[None, None, :] <= positions[:, :, None]
        return cls(
            tokens.to(device),
            positions.to(device),
            mask[:, None].to(device),
            write.view(-1).to(device),
            read.view(-1).to(device),
        )


class PagedCache(Cache):  # type: ignore[misc]
    """The cache of all layers. Its size is set by its blocks and never changes.

    A forward pass writes and reads the slots of :attr:`layout`, which is set before it. The
    tensors [slots, heads, width] of a layer are made in the first pass, when the model
    shows its shapes.
    """

    def __init__(self, layers: int, blocks: int, block_tokens: int) -> None:
        """``blocks`` are numbered from 1; one more holds what is nobody's."""
        self.layout: Layout | None = None
        self.block_tokens = block_tokens
        slots = (blocks + 1) * block_tokens
        super().__init__(layers=[_PagedLayer(self, slots) for _ in range(layers)])

    @property
    def nbytes(self) -> int:
        """Bytes of memory that it takes; 0 before the first forward pass."""
        return sum(int(tensor.nbytes) for tensor in self.tensors())

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield the keys and values of all layers; none before the first forward pass."""
        for layer in self.layers:
            if layer.is_initialized:
                yield from (layer.keys, layer.values)


class _PagedLayer(CacheLayerMixin):  # type: ignore[misc]
    """One layer's part of a PagedCache."""

    is_sliding = False

    def __init__(self, cache: PagedCache, slots: int) -> None:
        super().__init__()
        self._cache = cache
        self._slots = slots

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Make the tensors, on the device and in the type of the states."""
        self.keys = _slots_like(key_states, self._slots)
        self.values = _slots_like(value_states, self._slots)
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the states [rows, heads, columns, width]; return those of all keys of each row."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        return self._exchange(self.keys, key_states), self._exchange(self.values, value_states)

    def _exchange(self, store: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        layout = self._cache.layout
        if layout is None:
            raise RuntimeError("a forward pass over a paged cache needs its layout first")
        rows, heads, columns, width = states.shape
        flat = states.transpose(1, 2).reshape(rows * columns, heads, width)
        store.index_copy_(0, layout.write, flat)
        return store.index_select(0, layout.read).view(rows, -1, heads, width).transpose(1, 2)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Keys there will be, and the position of the first; the mask is given, so nobody asks."""
        return query_length, 0

    def get_seq_length(self) -> int:
        """0: rows differ, and positions are always given."""
        return 0

    def get_max_length(self) -> int:
        """Tokens of all requests together."""
        return self._slots


def _slots_like(states: torch.Tensor, slots: int) -> torch.Tensor:
    _, heads, _, width = states.shape
    return torch.zeros((slots, heads, width), dtype=states.dtype, device=states.device)
