"""Slots of the paged cache: each token has its own, and is read where it was written."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.generation.paged_cache import Layout, PagedCache, Span

CPU = torch.device("cpu")
BLOCK = 4
NOTHING, WASTE = 0, 1


@st.composite
def passes(draw: st.DrawFn) -> list[Span]:
    """Spans of requests that own their blocks, in any order of block numbers."""
    sizes = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=4))
    needed = [-(-(start + count) // BLOCK) for start, count in sizes]
    free = draw(st.permutations(range(1, sum(needed) + 3)))
    spans = []
    for (start, count), blocks in zip(sizes, needed, strict=True):
        tokens = draw(st.lists(st.integers(2, 400), min_size=count, max_size=count))
        spare = draw(st.integers(0, 1))  # a request owns the blocks of tokens yet to come
        mine, free = free[:blocks], free[blocks:]
        spans.append(Span(tokens, start, [*mine, *([999] * spare)]))
    return spans


def slot(span: Span, position: int) -> int:
    return span.blocks[position // BLOCK] * BLOCK + position % BLOCK


@settings(max_examples=25)
@given(passes())
def test_tokens_end_in_the_last_column_at_their_positions(spans: list[Span]) -> None:
    layout = Layout.of(spans, BLOCK, CPU)
    columns = max(len(span.tokens) for span in spans)
    assert layout.tokens.shape == layout.positions.shape == (len(spans), columns)
    for row, span in enumerate(spans):
        count = len(span.tokens)
        assert layout.tokens[row, columns - count :].tolist() == list(span.tokens)
        assert layout.tokens[row, : columns - count].sum() == 0
        assert layout.positions[row, columns - count :].tolist() == list(
            range(span.start, span.end)
        )
        assert layout.positions[row, : columns - count].sum() == 0


@settings(max_examples=25)
@given(passes())
def test_every_token_is_written_to_a_slot_of_its_own(spans: list[Span]) -> None:
    layout = Layout.of(spans, BLOCK, CPU)
    columns = layout.tokens.shape[1]
    written = layout.write.view(len(spans), columns)
    used: list[int] = []
    for row, span in enumerate(spans):
        first = columns - len(span.tokens)
        used += written[row, first:].tolist()
        assert written[row, first:].tolist() == [
            slot(span, position) for position in range(span.start, span.end)
        ]
        assert set(written[row, :first].tolist()) <= {WASTE}
    assert len(set(used)) == len(used)
    assert NOTHING not in used and WASTE not in used


@settings(max_examples=25)
@given(passes())
def test_all_of_a_request_is_read_in_order_and_nothing_else(spans: list[Span]) -> None:
    layout = Layout.of(spans, BLOCK, CPU)
    read = layout.read.view(len(spans), -1)
    keys = read.shape[1]
    assert keys % 8 == 0
    assert keys - 8 < max(span.end for span in spans) <= keys
    for row, span in enumerate(spans):
        assert read[row, : span.end].tolist() == [
            slot(span, position) for position in range(span.end)
        ]
        assert set(read[row, span.end :].tolist()) <= {NOTHING}


@settings(max_examples=25)
@given(passes())
def test_a_token_looks_at_itself_and_what_stands_before_it(spans: list[Span]) -> None:
    layout = Layout.of(spans, BLOCK, CPU)
    rows, columns = layout.tokens.shape
    keys = layout.read.numel() // rows
    assert layout.mask.shape == (rows, 1, columns, keys)
    for row in range(rows):
        for column in range(columns):
            seen = layout.mask[row, 0, column].nonzero().view(-1).tolist()
            # Padding has position 0: it sees one key, so that its attention is finite.
            assert seen == list(range(int(layout.positions[row, column]) + 1))


def states(values: list[list[float]]) -> torch.Tensor:
    """States [rows, heads, columns, width] of one head and width 1."""
    return torch.tensor(values, dtype=torch.float32)[:, None, :, None]


def test_what_was_written_in_one_pass_is_read_in_the_next() -> None:
    cache = PagedCache(1, blocks=4, block_tokens=BLOCK)
    [layer] = cache.layers
    assert cache.nbytes == 0
    cache.layout = Layout.of([Span([7, 8, 9], 0, [3]), Span([5], 0, [1])], BLOCK, CPU)
    keys, values = layer.update(
        states([[1, 2, 3], [90, 91, 4]]), states([[10, 20, 30], [0, 0, 40]])
    )
    assert keys.shape == values.shape == (2, 1, 8, 1)
    assert keys[:, 0, :3, 0].tolist() == [[1, 2, 3], [4, 0, 0]]
    assert values[0, 0, :4, 0].tolist() == [10, 20, 30, 0]
    cache.layout = Layout.of([Span([6], 1, [1]), Span([4, 4], 3, [3, 2])], BLOCK, CPU)
    keys, _ = layer.update(states([[99, 5], [6, 7]]), states([[0, 0], [0, 0]]))
    assert keys[0, 0, :3, 0].tolist() == [4, 5, 0]
    assert keys[1, 0, :6, 0].tolist() == [1, 2, 3, 6, 7, 0]
    assert cache.nbytes == 2 * (4 + 1) * BLOCK * 4


def test_what_padding_writes_is_never_read() -> None:
    cache = PagedCache(1, blocks=2, block_tokens=BLOCK)
    cache.layout = Layout.of([Span([1, 2, 3], 0, [1]), Span([1], 0, [2])], BLOCK, CPU)
    nan = float("nan")
    keys, _ = cache.layers[0].update(states([[1, 2, 3], [nan, nan, 4]]), states([[0] * 3] * 2))
    assert torch.isfinite(keys).all()


def test_a_pass_without_a_layout_is_a_mistake_that_is_told() -> None:
    cache = PagedCache(1, blocks=2, block_tokens=BLOCK)
    with pytest.raises(RuntimeError, match="needs its layout first"):
        cache.layers[0].update(states([[1]]), states([[1]]))


def test_its_size_never_changes() -> None:
    cache = PagedCache(2, blocks=3, block_tokens=BLOCK)
    for start in range(6):
        cache.layout = Layout.of([Span([1], start, [1, 2])], BLOCK, CPU)
        for layer in cache.layers:
            layer.update(states([[1]]), states([[1]]))
    shapes = {tuple(tensor.shape) for tensor in cache.tensors()}
    assert shapes == {((3 + 1) * BLOCK, 1, 1)}
    assert len(list(cache.tensors())) == 4
