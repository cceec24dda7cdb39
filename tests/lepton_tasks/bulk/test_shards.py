"""Cutting: every line in one cut, in order, the same way every time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.bulk.lines import BadLine, Line
from lepton_tasks.bulk.shards import MAX_SHARD_CHARACTERS, cut_lines

_good = st.builds(Line, st.just(0), st.none(), st.sampled_from(["a", "你" * 30_000, "b" * 70_000]))
_bad = st.builds(BadLine, st.just(0), st.none(), st.just("empty_text"), st.just("no"))
_line: st.SearchStrategy[Line | BadLine] = st.one_of(_good, _bad)


@given(st.lists(_line, max_size=40), st.integers(1, 9))
def test_every_line_is_in_one_cut(lines: list[Line | BadLine], shard_size: int) -> None:
    cuts = list(cut_lines(lines, shard_size))
    assert cuts == list(cut_lines(lines, shard_size))
    assert [cut.number for cut in cuts] == list(range(len(cuts)))
    assert [slot.problem is None for cut in cuts for slot in cut.slots] == [
        isinstance(line, Line) for line in lines
    ]
    assert [text for cut in cuts for text in cut.items] == [
        line.item for line in lines if isinstance(line, Line)
    ]
    shards = [cut for cut in cuts if cut.items]
    assert [cut.ordinal for cut in shards] == list(range(len(shards)))
    assert all(cut.ordinal is None for cut in cuts if not cut.items)
    for cut in cuts:
        assert 1 <= len(cut.slots) <= shard_size
        assert len(cut.items) <= 1 or sum(map(len, cut.items)) <= MAX_SHARD_CHARACTERS


def test_a_broken_end_marks_its_cut() -> None:
    lines: list[Line | BadLine] = [
        Line(1, None, "a"),
        Line(2, None, "b"),
        BadLine(3, None, "x", "no", final=True),
    ]
    assert [cut.broken for cut in cut_lines(lines, 2)] == [False, True]
