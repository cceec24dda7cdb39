"""A fetch of plain Celery messages becomes rows in one statement, whatever they are."""

from __future__ import annotations

from dataclasses import replace

from lepton_tasks.store.store import Store
from tests.support.canvases import FAILED, TENANT, adopt, adoption, call, finish, owed, part_of


def test_each_message_of_a_fetch_becomes_what_it_is(quick_store: Store) -> None:
    store = quick_store
    finish(store, adopt(store, "done"), 1)
    finish(store, adopt(store, "deleted"), 1)
    store.retention.erase(TENANT, "deleted")
    store.task_results.put("unwanted", "REVOKED", "{}")
    links = call("bad")
    fetch = [
        adoption("new-1"),
        adoption("new-1"),
        adoption("done"),
        replace(adoption("wrong", errbacks=[links]), error=FAILED),
        adoption("deleted"),
        adoption("unwanted", errbacks=[links]),
        replace(adoption("revoked"), revoked=True),
        adoption("new-2", callbacks=[call("good")]),
    ]
    claims = store.claims.claim("w1", [], fetch)
    assert [claim.id for claim in claims] == ["new-1", "new-2"]
    assert sorted(owed(store)) == [("bad", ["unwanted"]), ("bad", ["wrong"])]
    states = {job.id: str(job.state) for job in store.jobs.page(TENANT, limit=20)}
    assert states == {
        "done": "succeeded",
        "new-1": "running",
        "new-2": "running",
        "wrong": "failed",
        "unwanted": "cancelled",
        "revoked": "cancelled",
    }
    finish(store, claims[1], 7)
    assert owed(store) == [("good", [7])]


def test_parts_of_several_chords_come_in_one_fetch(quick_store: Store) -> None:
    store = quick_store
    parts = [
        adoption(f"{chord_id}-{n}", **part_of(chord_id, n, call(f"sum-{chord_id}")))
        for n in range(2)
        for chord_id in ("g2", "g1")
    ]
    claims = store.claims.claim("w1", [], parts)
    for chord_id in ("g1", "g2"):
        store.canvases.expect_chord(chord_id, size=2)
    for claim in claims:
        finish(store, claim, claim.id)
    assert owed(store) == [("sum-g2", [["g2-0", "g2-1"]]), ("sum-g1", [["g1-0", "g1-1"]])]


def test_a_fetch_without_any_message_of_that_kind_changes_nothing(quick_store: Store) -> None:
    assert quick_store.claims.claim("w1", [], []) == []


def test_of_two_messages_with_one_id_the_first_is_taken(quick_store: Store) -> None:
    store = quick_store
    followed = adoption("t1", errbacks=[call("mine")])
    wrong = replace(adoption("t1"), error=FAILED)
    [claim] = store.claims.claim("w1", [], [followed, wrong])
    assert claim.id == "t1"
    assert owed(store) == []
    assert store.claims.claim("w1", [], [wrong, followed]) == []
    assert owed(store) == []
