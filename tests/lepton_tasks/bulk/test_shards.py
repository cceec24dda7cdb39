"""Cutting: every line in one cut, in order, the same way every time."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.bulk.lines import BadLine, Line, Problem
from lepton_tasks.bulk.shards import MAX_SHARD_CHARACTERS, AnyLine, Cut, cut_lines

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
    assert [text for cut in cuts for shard in cut.shards for text in shard.items] == [
        line.item for line in lines if isinstance(line, Line)
    ]
    shards = [cut for cut in cuts if cut.shards]
    assert [cut.ordinal for cut in shards] == list(range(len(shards)))
    assert all(cut.ordinal is None for cut in cuts if not cut.shards)
    for cut in cuts:
        assert 1 <= len(cut.slots) <= shard_size
        assert len(cut.shards) <= 1
        for shard in cut.shards:
            assert len(shard.items) == 1 or sum(map(len, shard.items)) <= MAX_SHARD_CHARACTERS


@dataclass(frozen=True)
class Asking:
    """A line that says what is asked, of any number of items; bad where it has none."""

    number: int
    id: str
    work: Hashable
    items: tuple[Any, ...]
    reply: str
    final: bool = False

    @property
    def size(self) -> int:
        return sum(map(len, self.items))

    @property
    def problem(self) -> Problem | None:
        return None if self.items else Problem("bad", "no")


def asking(shapes: list[tuple[int, list[str]]]) -> list[AnyLine]:
    return [
        Asking(number, f"c-{number}", work, tuple(items), f"r-{number}")
        for number, (work, items) in enumerate(shapes, 1)
    ]


_shape = st.tuples(st.integers(0, 3), st.lists(st.sampled_from(["a", "好" * 30_000]), max_size=12))
_shapes = st.lists(_shape, max_size=60)


def restored(cuts: list[Cut]) -> list[tuple[int, Any, Hashable, tuple[Any, ...], Any]]:
    """The lines as a run writes them: the slots in order, each with the next of its shard's."""
    lines: list[tuple[int, Any, Hashable, tuple[Any, ...], Any]] = []
    for cut in cuts:
        left = [list(shard.items) for shard in cut.shards]
        for slot in cut.slots:
            if slot.problem is not None:
                lines.append((slot.number, slot.id, None, (), None))
                continue
            items = tuple(left[slot.shard].pop(0) for _ in range(slot.items))
            work = cut.shards[slot.shard].work
            lines.append((slot.number, slot.id, work, items, slot.reply))
        assert not any(left)
    return lines


@given(_shapes, st.integers(1, 9))
def test_lines_that_ask_the_same_share_a_shard_and_the_order_comes_back(
    shapes: list[tuple[int, list[str]]], shard_size: int
) -> None:
    lines = asking(shapes)
    cuts = list(cut_lines(lines, shard_size))
    assert restored(cuts) == [
        (one.number, one.id, one.work, one.items, one.reply)
        if one.items
        else (one.number, one.id, None, (), None)
        for one in lines
    ]
    ordinals = [
        cut.ordinal + place for cut in cuts if cut.ordinal is not None
        for place, _ in enumerate(cut.shards)
    ]  # fmt: skip
    assert ordinals == list(range(sum(len(cut.shards) for cut in cuts)))
    for cut in cuts:
        assert len({shard.work for shard in cut.shards}) == len(cut.shards)
        assert len(cut.slots) <= shard_size
        asked = [slot.items for slot in cut.slots if slot.problem is None]
        assert len(asked) == 1 or sum(asked) <= shard_size


@given(_shapes, st.integers(1, 9), st.data())
def test_going_on_at_any_cut_cuts_the_rest_as_before(
    shapes: list[tuple[int, list[str]]], shard_size: int, data: st.DataObject
) -> None:
    lines = asking(shapes)
    cuts = list(cut_lines(lines, shard_size))
    done = data.draw(st.integers(0, len(cuts)))
    passed = sum(len(cut.slots) for cut in cuts[:done])
    submitted = sum(len(cut.shards) for cut in cuts[:done])
    assert list(cut_lines(lines[passed:], shard_size, done, submitted)) == cuts[done:]


def test_a_broken_end_marks_its_cut() -> None:
    lines: list[Line | BadLine] = [
        Line(1, None, "a"),
        Line(2, None, "b"),
        BadLine(3, None, "x", "no", final=True),
    ]
    assert [cut.broken for cut in cut_lines(lines, 2)] == [False, True]
