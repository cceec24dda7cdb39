"""Whatever ends a job owes what its message said should follow, in the same transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lepton_tasks.jobs import FinishedJob
from lepton_tasks.store.adoptions import Adoption
from lepton_tasks.store.store import Store
from tests.support.canvases import (
    FAILED,
    TENANT,
    adopt,
    adoption,
    call,
    finish,
    owed,
    part_of,
    send,
)
from tests.support.lives import NODE, lose, worker

LINKS: dict[str, Any] = {"callbacks": [call("good")], "errbacks": [call("bad")]}


def test_a_success_owes_its_callbacks(quick_store: Store) -> None:
    claim = adopt(quick_store, "t1", **LINKS)
    assert owed(quick_store) == []
    finish(quick_store, claim, {"text": "你好"})
    assert quick_store.claims.calls_owed.is_set()
    assert owed(quick_store) == [("good", [{"text": "你好"}])]
    assert owed(quick_store) == []


def test_a_job_without_a_canvas_owes_nothing(quick_store: Store) -> None:
    quick_store.claims.calls_owed.clear()
    finish(quick_store, adopt(quick_store, "t1"), 1)
    assert owed(quick_store) == []
    assert not quick_store.claims.calls_owed.is_set()


def test_a_list_of_inputs_gives_a_list(quick_store: Store) -> None:
    made = adoption("t1", **LINKS)
    assert made.canvas is not None
    several = replace(made, canvas=replace(made.canvas, single=False))
    [claim] = quick_store.claims.claim("w1", [], [several])
    quick_store.claims.finish([FinishedJob(claim, '{"outputs":[1,2]}', None)])
    assert owed(quick_store) == [("good", [[1, 2]])]


@pytest.mark.parametrize("end", ["failed", "cancelled", "expired", "dead", "revoked", "refused"])
def test_every_other_end_owes_the_errbacks(quick_store: Store, end: str) -> None:
    store = quick_store
    made = adoption("t1", chain=[call("later", "t2")], **LINKS)
    if end == "revoked":
        assert store.claims.claim("w1", [], [Adoption(made.job, None, made.canvas, True)]) == []
    elif end == "refused":
        assert store.claims.claim("w1", [], [Adoption(made.job, FAILED, made.canvas)]) == []
    else:
        worker(store)
        [claim] = store.claims.claim(NODE, [], [made])
        if end == "failed":
            finish(store, claim, error=FAILED)
        elif end == "dead":
            for _ in range(4):
                lose(store, NODE, ("t1", 0))
                worker(store)
                store.suspects.claim(NODE, ["moderation"])
        else:
            store.claims.release([claim])
            if end == "cancelled":
                store.jobs.cancel(TENANT, "t1")
            else:
                with store.database.write() as connection:
                    connection.exec_driver_sql("UPDATE jobs SET deadline = 1")
                store.outbox.expire_deadlines()
    assert owed(store) == [("bad", ["t1"])]
    [later] = store.task_results.find(["t2"])
    assert later.status == "FAILURE"


def test_a_stale_finish_owes_nothing(quick_store: Store) -> None:
    claim = adopt(quick_store, "t1", **LINKS)
    quick_store.claims.release([claim])
    [again] = quick_store.claims.claim("w2", ["t1"])
    with pytest.raises(AssertionError):
        finish(quick_store, claim, 1)
    assert owed(quick_store) == []
    finish(quick_store, again, 2)
    assert owed(quick_store) == [("good", [2])]


def test_a_message_that_comes_twice_is_one_job_with_one_canvas(quick_store: Store) -> None:
    claim = adopt(quick_store, "t1", **LINKS)
    assert quick_store.claims.claim("w2", [], [adoption("t1", **LINKS)]) == []
    finish(quick_store, claim, 1)
    assert quick_store.claims.claim("w2", [], [adoption("t1", **LINKS)]) == []
    assert owed(quick_store) == [("good", [1])]


def test_the_canvas_goes_with_its_job(quick_store: Store) -> None:
    finish(quick_store, adopt(quick_store, "t1", **LINKS), 1)
    [child] = quick_store.canvases.children("t1")
    assert child[0][0] == send(quick_store)[0].call.signature["options"]["task_id"]
    quick_store.retention.erase(TENANT, "t1")
    assert quick_store.canvases.children("t1") == []


def test_a_part_of_a_chord_that_fails_fails_the_chord(quick_store: Store) -> None:
    body = call("sum", "b", link_error=[call("bad")])
    quick_store.canvases.expect_chord("g", size=1, body=body)
    finish(quick_store, adopt(quick_store, "t1", **part_of("g", 0, body)), error=FAILED)
    assert owed(quick_store) == [("bad", ["b"])]
    [result] = quick_store.task_results.find(["b"])
    assert "Dependency t1 raised JobFailed('model_error: no luck')" in result.meta


def test_what_was_revoked_before_it_came_is_cancelled(quick_store: Store) -> None:
    quick_store.task_results.put("t1", "REVOKED", "{}")
    assert quick_store.claims.claim("w1", [], [adoption("t1", **LINKS)]) == []
    assert quick_store.jobs.get(TENANT, "t1").state == "cancelled"
    assert owed(quick_store) == [("bad", ["t1"])]
