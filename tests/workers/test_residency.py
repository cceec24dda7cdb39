"""Whatever is asked in whatever order: the bound holds, the pinned stay, nobody leaves in vain."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.residency import Footprint, NoRoom, Residency

footprints = st.dictionaries(st.sampled_from("abcdef"), st.just(7), max_size=4).flatmap(
    lambda shared: st.integers(0, 40).map(lambda own: {**shared, object(): own})
)


@st.composite
def memories(draw: st.DrawFn) -> Residency:
    memory = Residency(draw(st.integers(0, 200)), draw(st.integers(0, 20)))
    for number, footprint in enumerate(draw(st.lists(footprints, max_size=8))):
        memory.add(f"m{number}", footprint, pinned=draw(st.booleans()))
    for name in draw(st.lists(st.sampled_from(memory.names() or ["none"]), max_size=5)):
        if name in memory.names():
            memory.touch(name)
    return memory


def without(memory: Residency, names: Sequence[str]) -> Residency:
    """A copy in which ``names`` have left."""
    copy = Residency(memory.bound, memory.headroom)
    for name in memory.names():
        if name not in names:
            copy.add(name, memory._models[name], pinned=memory.pinned(name))
    return copy


def fits(memory: Residency, wanted: int) -> bool:
    return not memory.bound or memory.used() + wanted + memory.headroom <= memory.bound


@given(memories(), st.integers(0, 150))
def test_who_leaves(memory: Residency, wanted: int) -> None:
    try:
        leaving = memory.leaving_for(wanted)
    except NoRoom as error:
        movable = [name for name in memory.names() if not memory.pinned(name)]
        kept = without(memory, movable)
        assert (error.wanted, error.staying) == (wanted, kept.used())
        assert not fits(kept, wanted)
        return
    assert not any(memory.pinned(name) for name in leaving)
    assert fits(without(memory, leaving), wanted)
    assert leaving == [name for name in memory.names() if name in leaving]
    for name in leaving:
        assert not fits(without(memory, [other for other in leaving if other != name]), wanted)


@given(memories())
def test_what_leaves_with_a_model(memory: Residency) -> None:
    for name in memory.names():
        assert memory.own(name) == memory.used() - without(memory, [name]).used()
        assert 0 <= memory.own(name) <= memory.size(name)


@given(st.lists(st.tuples(st.sampled_from("abcd"), footprints), max_size=20))
def test_loading_whatever_comes_never_passes_the_bound(wishes: list[tuple[str, Footprint]]) -> None:
    memory = Residency(bound=60, headroom=5)
    for name, footprint in wishes:
        if name in memory.names():
            memory.touch(name)
            continue
        try:
            for other in memory.leaving_for(sum(footprint.values())):
                memory.remove(other)
        except NoRoom:
            assert sum(footprint.values()) > 55
            continue
        memory.add(name, footprint)
        assert memory.used() <= 55
        assert memory.names()[-1] == name


def test_the_one_used_longest_ago_goes_first() -> None:
    memory = Residency(bound=30)
    for name in "abc":
        memory.add(name, {name: 10})
    memory.touch("a")
    assert memory.leaving_for(10) == ["b"]
    assert memory.leaving_for(20) == ["b", "c"]
    with pytest.raises(NoRoom):
        memory.leaving_for(31)


def test_what_another_replaces_is_the_first_to_leave_and_keeps_what_is_shared() -> None:
    memory = Residency(bound=100)
    memory.add("a", {"trunk": 40, "heads": 10}, pinned=True)
    memory.add("other", {"more": 20})
    memory.retire("a", "a@1")
    memory.add("a", {"trunk": 40, "new": 10}, pinned=True)
    assert memory.names() == ["a@1", "other", "a"]
    assert memory.pinned("a") and not memory.pinned("a@1")
    assert memory.alone("a@1") == {"heads"}
    assert memory.leaving_for(30) == ["a@1"]
    assert memory.leaving_for(25, kept=["a@1"]) == ["other"]
    memory.remove("a@1")
    assert memory.used() == 70
