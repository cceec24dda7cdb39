"""Who comes next: rank, then tenant, then arrival; nobody waits for ever."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from workers.generation.waiting import MOST_PASSED, Waiting

SLACK = 1000


def always(_size: int) -> bool:
    return True


def add(waiting: Waiting[str], name: str, size: int = 10, rank: int = 1, tenant: str = "") -> None:
    waiting.add(name, name, size=size, rank=rank, tenant=tenant)


def test_the_most_urgent_then_the_earliest() -> None:
    waiting: Waiting[str] = Waiting(SLACK)
    for name, rank in (("bulk", 2), ("first", 1), ("second", 1), ("urgent", 0)):
        add(waiting, name, rank=rank)
    assert [waiting.take(always) for _ in range(5)] == ["urgent", "first", "second", "bulk", None]


def test_tenants_take_turns_by_tokens() -> None:
    waiting: Waiting[str] = Waiting(SLACK)
    for place in range(4):
        add(waiting, f"a{place}", size=10, tenant="a")
    for place in range(2):
        add(waiting, f"b{place}", size=20, tenant="b")
    assert [waiting.take(always) for _ in range(6)] == ["a0", "b0", "a1", "a2", "b1", "a3"]


def test_a_tenant_that_was_away_does_not_have_a_share_saved_up() -> None:
    waiting: Waiting[str] = Waiting(SLACK)
    for place in range(40):
        add(waiting, f"a{place}", tenant="a")
    for _ in range(30):
        waiting.take(always)
    for place in range(10):
        add(waiting, f"b{place}", tenant="b")
    assert Counter(str(waiting.take(always))[0] for _ in range(10)) == {"a": 5, "b": 5}


def test_bulk_has_its_share_while_urgent_work_never_ends() -> None:
    waiting: Waiting[str] = Waiting(SLACK)
    for place in range(10):
        add(waiting, f"bulk{place}", size=100, rank=2)
    taken = []
    for place in range(400):
        add(waiting, f"urgent{place}", size=100, rank=0)
        taken.append(str(waiting.take(always)))
    assert taken[0] == "urgent0"
    assert 1 <= sum(name.startswith("bulk") for name in taken) <= 400 * 100 // SLACK


def test_small_ones_pass_a_large_one_only_so_often() -> None:
    waiting: Waiting[str] = Waiting(SLACK)
    add(waiting, "large", size=500)
    for place in range(MOST_PASSED + 5):
        add(waiting, f"small{place}")
    passed = 0
    while waiting.take(lambda size: size <= 100) is not None:
        passed += 1
    assert passed == MOST_PASSED
    assert waiting.take(always) == "large"
    assert waiting.take(lambda size: size <= 100) == f"small{MOST_PASSED}"


def test_one_can_be_taken_out_and_all_can() -> None:
    waiting: Waiting[str] = Waiting(SLACK)
    for name in ("one", "two", "three"):
        add(waiting, name)
    assert (waiting.remove("two"), waiting.remove("two"), "one" in waiting) == ("two", None, True)
    assert sorted(waiting.drain()) == ["one", "three"]
    assert (len(waiting), waiting.take(always)) == (0, None)


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 2), st.sampled_from("abc")), max_size=40),
    st.integers(10, 60),
)
def test_what_fits_is_let_in_and_nothing_is_lost(
    requests: list[tuple[int, int, str]], room: int
) -> None:
    waiting: Waiting[int] = Waiting(SLACK)
    for place, (size, rank, tenant) in enumerate(requests):
        waiting.add(str(place), place, size=size, rank=rank, tenant=tenant)
    taken = []
    while (place_taken := waiting.take(lambda size: size <= room)) is not None:
        assert requests[place_taken][0] <= room
        taken.append(place_taken)
    left = list(waiting.drain())
    assert sorted([*taken, *left]) == list(range(len(requests)))
    blocked = any(requests[place][0] > room for place in left)
    assert blocked or not left
