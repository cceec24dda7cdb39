from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import pytest
from pydantic import BaseModel

import lepton_tasks.nlp
from lepton_tasks.client.errors import JobFailed, UnexpectedAnswer
from lepton_tasks.client.tasks import (
    ItemError,
    KnownTasks,
    Outputs,
    TaskName,
    WriterName,
    outputs_of,
)
from lepton_tasks.nlp.base import Task
from lepton_tasks.nlp.moderation import Moderation, ModerationOutput


def shipped() -> dict[str, type[BaseModel]]:
    """Output models of all tasks of ours, by name."""
    found = {}
    for info in pkgutil.iter_modules(lepton_tasks.nlp.__path__, "lepton_tasks.nlp."):
        for value in vars(importlib.import_module(info.name)).values():
            if inspect.isclass(value) and issubclass(value, Task) and not inspect.isabstract(value):
                found[value.name] = value.output_model
    return found


def test_every_task_that_ships_is_known_by_its_own_output() -> None:
    known = {one.name: one for one in vars(KnownTasks).values() if isinstance(one, TaskName)}
    models = {name: one.outputs()._model for name, one in known.items()}
    assert models == shipped()
    for attribute, one in vars(KnownTasks).items():
        if isinstance(one, TaskName):
            assert one.name == attribute.replace("_", "-")
            written = str(KnownTasks.__annotations__[attribute])
            assert written == f"{type(one).__name__}[{one.outputs()._model.__name__}]"
    assert [name for name, one in known.items() if isinstance(one, WriterName)] == [
        "chat",
        "generation",
    ]


def test_outputs_are_typed_by_name_and_by_class() -> None:
    value = {
        "flagged": True,
        "action": "review",
        "language": "zh",
        "categories": {"toxicity": True},
        "category_scores": {"toxicity": 0.7},
        "unsupported_categories": [],
    }
    for outputs in (outputs_of("moderation"), outputs_of(Moderation)):
        output = outputs.read(value)
        assert isinstance(output, ModerationOutput)
        assert output.action == "review"
    newer: Any = outputs_of("moderation").read({**value, "confidence": 0.9})
    assert newer.model_extra == {"confidence": 0.9}


def test_a_task_that_nobody_here_knows_gives_plain_json() -> None:
    outputs: Outputs[object] = outputs_of("noop")
    assert outputs.read({"characters": 2}) == {"characters": 2}
    assert outputs_of("task_name_").read([1]) == [1]
    assert outputs_of("outputs").read(None) is None
    assert outputs_of("question_answering").read({"error": "no"}) == {"error": "no"}


def test_an_error_in_place_of_an_output() -> None:
    value = {"error": {"code": "out_of_memory", "message": "no memory for it"}}
    outputs = outputs_of("sentiment")
    assert outputs.read(value) == ItemError("out_of_memory", "no memory for it")
    with pytest.raises(JobFailed, match="no memory"):
        outputs.one("job_1", value)


def test_an_output_of_another_shape_is_told_without_quoting_it() -> None:
    with pytest.raises(UnexpectedAnswer, match="output of sentiment") as caught:
        outputs_of("sentiment").read({"label": "my secret"})
    assert "my secret" not in str(caught.value)
    assert caught.value.__cause__ is None
