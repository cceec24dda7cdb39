"""Chords are counted by task, in SQL: the body comes once, in whichever order the ends come."""

from __future__ import annotations

import threading
from itertools import permutations
from typing import Any

import pytest

from lepton_tasks.canvas.following import Following, Part
from lepton_tasks.store import chords
from lepton_tasks.store.store import Store
from tests.support.canvases import FAILED, adopt, call, finish, owed, part_of

BODY = call("sum", "b")
WHY = {"exc_type": "ValueError", "exc_message": ["no"], "exc_module": "builtins"}


def came(store: Store, task_id: str, index: int, **end: Any) -> list[str]:
    """A task of somebody else's worker ends, as a part of the chord ``g``."""
    return store.canvases.follow(Following(parts=[Part("g", task_id, index, **end)]))


def test_the_body_gets_the_results_in_the_order_of_the_header(quick_store: Store) -> None:
    for order in permutations(range(3)):
        store = quick_store
        name = "".join(map(str, order))
        store.canvases.expect_chord(name, body=BODY)
        store.canvases.expect_chord(name, size=3)
        claims = [adopt(store, f"{name}-{n}", **part_of(name, n, BODY)) for n in range(3)]
        for n in order:
            assert owed(store) == []
            finish(store, claims[n], n * 10)
        assert owed(store) == [("sum", [[0, 10, 20]])]


def test_a_size_that_is_learned_last_ends_the_chord(quick_store: Store) -> None:
    finish(quick_store, adopt(quick_store, "t0", **part_of("g", 0, BODY)), "你好")
    came(quick_store, "t1", 1, result=2)
    assert owed(quick_store) == []
    assert len(quick_store.canvases.expect_chord("g", size=2)) == 1
    assert owed(quick_store) == [("sum", [["你好", 2]])]


def test_results_that_are_no_message_any_more_fail_the_chord(
    quick_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chords, "MAX_RESULTS", 100)
    for name, most in (("a", 46), ("b", 47)):
        body = call("sum", f"{name}-body", link_error=[call("log", f"{name}-log")])
        quick_store.canvases.expect_chord(name, size=2, body=body)
        for index in range(2):
            part = Part(name, f"{name}{index}", index, result="长" * most + "..")
            quick_store.canvases.follow(Following(parts=[part]))
    assert [name for name, _ in owed(quick_store)] == ["sum", "log"]
    [found] = quick_store.task_results.find(["a-body", "b-body"])
    assert (found.id, found.status) == ("b-body", "FAILURE")
    assert "102 characters" in found.meta
    assert "长" not in found.meta


def test_a_task_counts_once(quick_store: Store) -> None:
    quick_store.canvases.expect_chord("g", size=2, body=BODY)
    came(quick_store, "t0", 0, result=1)
    came(quick_store, "t0", 0, result=1)
    assert owed(quick_store) == []
    came(quick_store, "t1", 1, result=2)
    came(quick_store, "t1", 1, result=2)
    came(quick_store, "t2", 2, result=3)
    quick_store.canvases.expect_chord("g", size=2, body=BODY)
    assert owed(quick_store) == [("sum", [[1, 2]])]


def test_the_first_failed_part_is_told_when_all_have_ended(quick_store: Store) -> None:
    quick_store.canvases.expect_chord("g", size=3, body=BODY)
    came(quick_store, "t2", 2, failure=WHY)
    came(quick_store, "t1", 1, failure=WHY)
    assert quick_store.task_results.find(["b"]) == []
    came(quick_store, "t0", 0, result=1)
    assert owed(quick_store) == []
    [result] = quick_store.task_results.find(["b"])
    assert result.status == "FAILURE"
    assert "Dependency t1 raised ValueError('no')" in result.meta


def test_results_of_groups_in_the_header_are_lists(quick_store: Store) -> None:
    quick_store.canvases.expect_chord("g", body=BODY, layout=["t0", ["t1", "t2"]], size=3)
    for n in (2, 0, 1):
        came(quick_store, f"t{n}", n % 2, result=n)
    assert owed(quick_store) == [("sum", [[0, [1, 2]]])]


def test_the_failure_of_an_inner_chord_ends_the_outer_one(quick_store: Store) -> None:
    outer = call("outer", "o", link_error=[call("bad")])
    inner = call("inner", "i", chord=outer, group_id="og", group_index=0)
    quick_store.canvases.expect_chord("og", size=1, body=outer)
    quick_store.canvases.expect_chord("ig", size=1, body=inner)
    finish(quick_store, adopt(quick_store, "t1", **part_of("ig", 0, inner)), error=FAILED)
    assert owed(quick_store) == [("bad", ["o"])]
    assert {one.id for one in quick_store.task_results.find(["i", "o"])} == {"i", "o"}


def test_parts_that_end_at_once_lose_no_body_and_double_none(quick_store: Store) -> None:
    sizes = {f"g{n}": 6 for n in range(4)}
    for chord_id, size in sizes.items():
        quick_store.canvases.expect_chord(chord_id, size=size, body=call(chord_id, f"b-{chord_id}"))
    claims = [
        [
            adopt(quick_store, f"{chord_id}-{n}", **part_of(chord_id, n, call(chord_id)))
            for chord_id in sizes
        ]
        for n in range(6)
    ]
    barrier = threading.Barrier(6)

    def end(mine: list[Any]) -> None:
        barrier.wait()
        for claim in mine:
            finish(quick_store, claim, claim.id)

    threads = [threading.Thread(target=end, args=[mine]) for mine in claims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = dict(owed(quick_store))
    assert found == {
        chord_id: [[f"{chord_id}-{n}" for n in range(size)]] for chord_id, size in sizes.items()
    }
