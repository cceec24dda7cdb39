"""The choice of micro-batches: nothing lost, nothing over budget, nothing starved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.batcher import WEIGHTS, Batcher

ITEMS = st.lists(
    st.tuples(
        st.integers(1, 600),
        st.integers(0, 2),
        st.sampled_from("ab"),
        st.sampled_from(["acme", "umbrella", "initech"]),
        st.none() | st.floats(1, 100),
    ),
    max_size=120,
)
Spec = tuple[int, int, str, str, float | None]
Numbered = tuple[int, Spec]


def filled(items: list[Spec]) -> Batcher[Numbered]:
    batcher: Batcher[Numbered] = Batcher()
    for number, spec in enumerate(items):
        length, rank, engine, tenant, deadline = spec
        batcher.add(
            (number, spec),
            length=length,
            rank=rank,
            lane=engine,
            tenant=tenant,
            deadline=deadline,
        )
    return batcher


@given(ITEMS, st.integers(1, 1024))
def test_every_item_runs_once_within_the_budget(items: list[Spec], budget: int) -> None:
    batcher = filled(items)
    seen: list[int] = []
    while batch := batcher.take(budget):
        lengths = [spec[0] for _, spec in batch]
        assert max(lengths) * len(batch) <= budget or len(batch) == 1
        assert lengths == sorted(lengths)
        assert len({spec[1:3] for _, spec in batch}) == 1
        seen += [number for number, _ in batch]
        assert len(batcher) == len(items) - len(seen)
    assert sorted(seen) == list(range(len(items)))


@given(ITEMS)
def test_drain_gives_everything_back(items: list[Spec]) -> None:
    batcher = filled(items)
    batcher.take(64)
    left = len(batcher)
    assert len(list(batcher.drain())) == left
    assert batcher.take(64) == []


@given(st.lists(st.integers(1, 64), min_size=1, max_size=40), st.integers(64, 512))
def test_urgent_work_goes_next_whatever_else_waits(lengths: list[int], budget: int) -> None:
    batcher = filled([(length, 2, "a", "acme", None) for length in lengths * 20])
    batcher.take(budget)
    batcher.add((-1, (8, 0, "a", "acme", None)), length=8, rank=0, lane="a")
    assert [number for number, _ in batcher.take(budget)] == [-1]


@given(st.integers(1, 300), st.integers(64, 1024))
def test_bulk_gets_its_share_under_saturating_urgent_work(length: int, budget: int) -> None:
    """Bulk waits for at most its inverse weight in budgets, plus the slack."""
    batcher = filled([(length, 2, "a", "acme", None)] * 3)
    number = 0
    waited = 0.0
    while True:
        for _ in range(200):
            number += 1
            spec = (10, 0, "a", "acme", None)
            batcher.add((number, spec), length=10, rank=0, lane="a")
        batch = batcher.take(budget)
        if batch[0][1][1] == 2:
            break
        waited += 10 * len(batch)
        assert waited <= (budget + 1) * WEIGHTS[0] + budget


def test_tenants_share_a_priority() -> None:
    batcher: Batcher[str] = Batcher()
    for _ in range(100):
        batcher.add("flood", length=100, rank=1, lane="a", tenant="flood")
    for _ in range(3):
        batcher.take(100)
    for _ in range(3):
        batcher.add("late", length=500, rank=1, lane="a", tenant="late")
    first_ten = [batcher.take(500) for _ in range(8)]
    assert sum(batch == ["late"] for batch in first_ten) >= 2


def test_the_earliest_deadline_leads() -> None:
    batcher: Batcher[str] = Batcher()
    batcher.add("none", length=100, rank=1, lane="a")
    batcher.add("late", length=100, rank=1, lane="a", deadline=50.0)
    batcher.add("soon", length=100, rank=1, lane="a", deadline=5.0)
    assert [batcher.take(100)[0] for _ in range(3)] == ["soon", "late", "none"]


def test_similar_lengths_share_a_batch() -> None:
    batcher = filled([(length, 1, "a", "t", None) for length in (10, 200, 11, 190, 12, 210)])
    assert [spec[0] for _, spec in batcher.take(60)] == [10, 11, 12]
    assert [spec[0] for _, spec in batcher.take(1000)] == [190, 200, 210]
