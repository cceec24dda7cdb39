from __future__ import annotations

import json
from functools import partial

import pytest

from lepton_tasks.cli.dead import app
from lepton_tasks.errors import InvalidInput, NotFound
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store
from tests.support.cli import run_command
from tests.support.lives import NODE, dead, state, suspect

run = partial(run_command, app)


def test_nothing_is_dead(store: Store) -> None:
    assert "no dead jobs" in run("list").stderr


def test_the_list_says_where_and_how_often(store: Store) -> None:
    ids = [dead(store) for _ in range(3)]
    lines = run("list").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ids
    assert lines[0].split("\t")[2:] == ["moderation", "normal", "acme", "1", "3", NODE]
    assert "你好" not in run("list").stdout
    [first, second] = run("list", "--limit", "2", "--json").stdout.splitlines()
    assert json.loads(second)["id"] == ids[1]
    assert json.loads(first)["crashes"]["places"] == {"0": 3}
    assert "--limit" in run("list", "--limit", "2").stderr
    assert run("list", "--task", "translation").stdout == ""


def test_show_tells_one_story(store: Store) -> None:
    job_id = dead(store)
    shown = run("show", job_id).stdout
    assert "died 3 times while it ran alone" in shown
    assert "input 0: 3" in shown
    assert "redriven  never" in shown
    assert json.loads(run("show", job_id, "--json").stdout)["id"] == job_id
    with pytest.raises(NotFound):
        run("show", suspect(store))


def test_named_jobs_are_redriven_and_the_others_named(store: Store) -> None:
    job_id, alive = dead(store), suspect(store)
    result = run("redrive", job_id, alive, "none")
    assert result.exit_code == 1
    assert state(store, job_id) is JobState.QUEUED
    assert f"job {alive} is suspect" in result.stderr
    assert "no job none" in result.stderr
    assert run("redrive", job_id).exit_code == 1


def test_all_jobs_of_a_task_are_redriven(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lepton_tasks.cli.dead._PAGE", 2)
    ids = [dead(store) for _ in range(5)]
    assert "redriven: 0 jobs" in run("redrive", "--all", "--task", "translation").stderr
    result = run("redrive", "--all", "--task", "moderation")
    assert result.exit_code == 0
    assert "redriven: 5 jobs" in result.stderr
    assert {state(store, job_id) for job_id in ids} == {JobState.QUEUED}
    [redrive] = json.loads(redrives_of(store, ids[0]))
    assert "@" in redrive["by"]


def redrives_of(store: Store, job_id: str) -> str:
    with store.database.read() as connection:
        return str(
            connection.exec_driver_sql(
                "SELECT redrives FROM jobs WHERE id = ?", (job_id,)
            ).scalar_one()
        )


@pytest.mark.parametrize("arguments", [[], ["--all", "job_1"], ["job_1", "--task", "moderation"]])
def test_what_to_redrive_must_be_said(store: Store, arguments: list[str]) -> None:
    with pytest.raises(InvalidInput):
        run("redrive", *arguments)
