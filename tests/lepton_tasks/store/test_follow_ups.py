"""Owed calls are handed out to one taker at a time, and to the next where that one dies."""

from __future__ import annotations

from lepton_tasks.canvas.following import Call, Following
from lepton_tasks.store.store import Store
from tests.support.canvases import call

WHY = {"exc_type": "ValueError", "exc_message": ["no"], "exc_module": "builtins"}


def owe(store: Store, *names: str) -> list[str]:
    return store.canvases.follow(Following([Call(call(name, name), [1]) for name in names]))


def later(store: Store) -> None:
    """The time passes after which others may send what was taken."""
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE follow_ups SET next_at = 0")


def test_what_is_taken_is_nobody_elses_for_a_while(quick_store: Store) -> None:
    owe(quick_store, "a", "b")
    first = quick_store.follow_ups.take()
    assert [one.call.signature["task"] for one in first] == ["a", "b"]
    assert quick_store.follow_ups.take() == []
    later(quick_store)
    again = quick_store.follow_ups.take()
    assert [one.attempts for one in again] == [2, 2]
    quick_store.follow_ups.sent(first)  # too late, and the taker after it has not sent them yet
    assert quick_store.follow_ups.count() == 2
    quick_store.follow_ups.sent(again)
    assert quick_store.follow_ups.count() == 0


def test_those_of_some_ids_are_taken(quick_store: Store) -> None:
    _, second = owe(quick_store, "a", "b")
    [taken] = quick_store.follow_ups.take([second])
    assert taken.call == Call(call("b", "b"), [1])


def test_a_postponed_call_waits(quick_store: Store) -> None:
    owe(quick_store, "a")
    quick_store.follow_ups.postpone(quick_store.follow_ups.take(), 60)
    assert quick_store.follow_ups.take() == []
    later(quick_store)
    quick_store.follow_ups.postpone(quick_store.follow_ups.take(), 0)
    [again] = quick_store.follow_ups.take()
    assert again.attempts == 3


def test_what_cannot_be_sent_has_failed_with_all_that_comes_after(quick_store: Store) -> None:
    chain = {"chain": [call("last", "last")]}
    owed = Call(call("a", "a", link_error=[call("bad")]), [1], chain)
    quick_store.canvases.follow(Following([owed]))
    [taken] = quick_store.follow_ups.take()
    quick_store.follow_ups.give_up(taken, WHY)
    assert {one.id for one in quick_store.task_results.find(["a", "last"])} == {"a", "last"}
    [errback] = quick_store.follow_ups.take()
    assert (errback.call.signature["task"], errback.call.args) == ("bad", ["a"])
