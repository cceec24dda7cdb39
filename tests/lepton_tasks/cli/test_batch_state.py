"""Batches as the store knows them, from the command line."""

from __future__ import annotations

import json
from functools import partial

import orjson
import pytest

from lepton_tasks.cli.batch import app
from lepton_tasks.errors import NotFound
from lepton_tasks.queues import Priority
from lepton_tasks.states import BatchState
from lepton_tasks.store.store import Store
from tests.support.cli import run_command
from tests.support.orders import ordered, put

run = partial(run_command, app)


def test_both_kinds_are_listed(store: Store) -> None:
    assert "There are no batches" in run("list").stderr
    store.batches.create("default", "batch_cli", "moderation", Priority.BULK, "f")
    store.batches.seal("default", "batch_cli", 1_200, 1_200)
    batch = ordered(store, "default", endpoint="/v1/jobs")
    put(store, batch.id, completed_lines=3, failed_lines=1)
    ordered(store, "other")
    first, second = (line.split("\t") for line in run("list").stdout.splitlines())
    assert first[:4] == [batch.id, "/v1/jobs", "validating", "4"]
    assert second[:4] == ["batch_cli", "moderation", "completed", "1,200 of 1,200"]
    assert [one["id"] for one in json.loads(run("list", "--json").stdout)] == [first[0], second[0]]
    assert len(run("list", "--limit", "1").stdout.splitlines()) == 1
    assert len(run("list", "--tenant", "other").stdout.splitlines()) == 1


def test_a_batch_of_an_uploaded_file_is_shown(store: Store) -> None:
    batch = ordered(store, "acme")
    faults = [
        {"code": "invalid_url", "line": 1_000 + n, "message": "url is wrong", "param": "url"}
        for n in range(12)
    ]
    put(
        store,
        batch.id,
        state=BatchState.FAILED,
        total_lines=4_000,
        failed_lines=12,
        errors=orjson.dumps(faults).decode(),
        error_file_id="file_2",
    )
    shown = run("show", batch.id, "--tenant", "acme").stdout.splitlines()
    assert shown[0] == f"{batch.id}  /v1/moderations  failed"
    assert shown[1:4] == ["lines   4,000", "done    12", "failed  12"]
    assert shown[4].startswith("until   20")
    assert shown[5:7] == [f"input   {batch.input_file_id}", "error   file_2"]
    assert shown[7] == "wrong   line 1,000: url is wrong"
    assert shown[-1] == "and 2 more; --json has them"
    told = json.loads(run("show", batch.id, "--tenant", "acme", "--json").stdout)
    assert (told["errors"], told["failed_lines"], "tenant" in told) == (faults, 12, False)
    with pytest.raises(NotFound):
        run("show", batch.id)


def test_one_whose_lines_are_not_counted_yet(store: Store) -> None:
    store.batches.create("default", "batch_cli", "moderation", Priority.BULK, "f")
    assert "lines   not all in yet" in run("show", "batch_cli").stdout
    run("cancel", "batch_cli")
    assert "lines   not counted" in run("show", "batch_cli").stdout


def test_cancelling_either_kind(store: Store) -> None:
    store.batches.create("default", "batch_cli", "moderation", Priority.BULK, "f")
    assert run("cancel", "batch_cli").stdout == "batch_cli is cancelled\n"
    batch = ordered(store, "acme")
    with pytest.raises(NotFound):
        run("cancel", batch.id)
    assert run("cancel", batch.id, "--tenant", "acme").stdout == f"{batch.id} is cancelling\n"
