"""What is wrong with a run is told before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lepton_tasks.errors import InvalidInput, LeptonError
from lepton_tasks.queues import Priority
from tests.lepton_tasks.bulk.conftest import MakePlan


def test_a_plan_holds_checked_values(plan_for: MakePlan, tmp_path: Path) -> None:
    plan = plan_for(["fine"], options='{"block_at": 0.8}')
    assert plan.priority is Priority.BULK
    assert plan.options == {"block_at": 0.8}
    assert plan.errors == tmp_path / "out.errors.jsonl"
    assert plan.journal == tmp_path / "out.jsonl.progress"
    assert not plan.out.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "translate-it"}, "there is no task 'translate-it'; the tasks are: "),
        ({"task": "training"}, "submit a job, by `lepton train`"),
        ({"task": "compression"}, "submit a job, by POST /v1/jobs"),
        ({"priority": "urgent"}, "priority must be one of high, normal, bulk"),
        ({"options": "{"}, "--options is not JSON"),
        ({"options": "[1]"}, "options must be an object"),
        ({"options": '{"block_at": 7}'}, "options.block_at"),
        (
            {"task": "chat", "options": '{"conversation": "conv_1"}'},
            "a line of a file can be no turn of a conversation",
        ),
        ({"webhook": "ftp://x"}, "webhook must be an absolute http or https URL"),
        ({"shard_size": 0}, "--shard-size must be between 1 and 256"),
        ({"shard_size": 257}, "--shard-size must be between 1 and 256"),
        ({"text_column": "text"}, "--text-column is for tables"),
        ({"out": "nowhere/out.jsonl"}, "there is no folder"),
        ({"errors": "nowhere/errors.jsonl"}, "there is no folder"),
        ({"out": "."}, "is not a regular file"),
        ({"out": "out.parquet"}, "--output: results are written as JSON Lines"),
        ({"out": "in.jsonl"}, "--output and FILE are the same file"),
        ({"out": "link.jsonl"}, "--output and FILE are the same file"),
        ({"errors": "in.jsonl"}, "--errors and FILE are the same file"),
        ({"errors": "out.jsonl"}, "--errors and --output are the same file"),
        ({"errors": "out.jsonl.progress"}, "--errors and the progress file are the same file"),
    ],
)
def test_what_is_wrong_is_named(
    plan_for: MakePlan, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "in.jsonl")
    for name in ("out", "errors"):
        if name in changes:
            changes = changes | {name: tmp_path / changes[name]}
    with pytest.raises(InvalidInput) as caught:
        plan_for(["fine"], **changes)
    assert said in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} <= {"in.jsonl", "link.jsonl"}


def test_a_missing_column_is_named(plan_for: MakePlan) -> None:
    with pytest.raises(LeptonError, match="'id', 'body'"):
        plan_for(b"id,body\n", name="in.csv", text_column="text")
