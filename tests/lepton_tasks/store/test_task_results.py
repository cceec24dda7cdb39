"""Results of tasks that are no jobs, and saved groups."""

from __future__ import annotations

import pytest

from lepton_tasks.store.store import Store


def test_a_success_stays_and_anything_else_may_change(quick_store: Store) -> None:
    results = quick_store.task_results
    for status in ("STARTED", "REVOKED", "FAILURE", "SUCCESS", "FAILURE"):
        results.put("t1", status, f'{{"status":"{status}"}}')
    [found] = results.find(["t1", "t2"])
    assert (found.status, found.meta) == ("SUCCESS", '{"status":"SUCCESS"}')
    results.forget("t1")
    assert results.find(["t1"]) == []


def test_a_group_is_kept_until_it_is_deleted(quick_store: Store) -> None:
    results = quick_store.task_results
    assert results.group("g") is None
    results.save_group("g", "[1]")
    results.save_group("g", "[2]")
    assert results.group("g") == "[2]"
    results.delete_group("g")
    assert results.group("g") is None


@pytest.mark.parametrize("keep, left", [(0.0, 0), (1000.0, 1)])
def test_what_is_old_is_swept(quick_store: Store, keep: float, left: int) -> None:
    results = quick_store.task_results
    results.put("t1", "SUCCESS", "{}")
    results.save_group("g", "[1]")
    quick_store.canvases.expect_chord("g", size=3)
    assert results.sweep(keep) is False
    assert len(results.find(["t1"])) == left
    assert (results.group("g") is not None) is bool(left)
