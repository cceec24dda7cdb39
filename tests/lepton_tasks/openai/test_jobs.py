"""Jobs as lines of a batch: any task that answers at once, one input or a list."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.registry import AnyTask, find_tasks, interactive_tasks, long_tasks
from lepton_tasks.openai.jobs import Jobs


@pytest.fixture(scope="module")
def jobs() -> Jobs:
    return Jobs()


def test_one_input_is_answered_by_its_output(jobs: Jobs) -> None:
    body = {"task": "sentiment", "input": "很好", "options": {"language": "zh"}}
    asked = jobs.read(body)
    assert (asked.task, asked.inputs, asked.options) == ("sentiment", ("很好",), {"language": "zh"})
    assert asked.names == {"inputs[0]": "input"}
    assert asked.reply("1", 0.0, [{"label": "positive"}]) == {"output": {"label": "positive"}}


def test_a_list_is_answered_by_a_list_with_its_errors(jobs: Jobs) -> None:
    asked = jobs.read({"task": "sentiment", "inputs": ["很好", "bad"], "options": None})
    outputs = [{"label": "positive"}, {"error": {"code": "encoding_failed", "message": "why"}}]
    assert (asked.inputs, asked.options) == (("很好", "bad"), {})
    assert asked.failure(outputs) is None
    assert asked.reply("1", 0.0, outputs) == {"outputs": outputs}


def test_every_task_that_answers_at_once_is_taken_and_no_other(jobs: Jobs) -> None:
    for name in interactive_tasks():
        assert jobs.read({"task": name, "input": "好"}).task == name
    for name in long_tasks():
        with pytest.raises(InvalidInput, match="POST /v1/jobs"):
            jobs.read({"task": name, "input": {}})


def test_tasks_are_looked_for_once_and_not_before_a_body_is_read() -> None:
    looked = []

    def find() -> dict[str, AnyTask]:
        looked.append(1)
        return find_tasks()

    jobs = Jobs(find)
    assert not looked
    for _ in range(2):
        jobs.read({"task": "sentiment", "input": "好"})
    assert len(looked) == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "task"),
        ({"task": 7, "input": "好"}, "task"),
        ({"task": "nosuch", "input": "好"}, "task"),
        ({"task": "sentiment"}, "input"),
        ({"task": "sentiment", "input": "好", "inputs": ["好"]}, "input"),
        ({"task": "sentiment", "inputs": "好"}, "inputs"),
        ({"task": "sentiment", "inputs": []}, "inputs"),
        ({"task": "sentiment", "input": "好", "options": []}, "options"),
        ({"task": "sentiment", "input": "好", "webhook": "https://a.test"}, "webhook"),
        (
            {"task": "chat", "input": {}, "options": {"conversation": "conv_1"}},
            "options.conversation",
        ),
    ],
)
def test_what_is_wrong_is_named(jobs: Jobs, body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        jobs.read(body)
    assert caught.value.param == param
