"""What holds of every task that is registered, whoever wrote it."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.admission import admit_item
from lepton_tasks.nlp.base import Example, ModelInput
from lepton_tasks.nlp.registry import AnyTask, find_tasks
from lepton_tasks.queues import Priority, queue_name
from lepton_tasks.requests import Admission, JobRequest
from lepton_tasks.settings import Settings
from tests.support.examples import assert_close, by_model, by_options, language_of
from tests.support.models import one_thread
from workers.catalogue.entries import DEFAULT_CATALOGUE, choose, read_catalogue
from workers.engines.base import Engine
from workers.engines.loader import load_engine
from workers.engines.trunks import Trunks
from workers.longruns.engine import MODULES, LongRunModels
from workers.tasks_page import transcripts

ROOT = Path(__file__).parents[2]
TASKS = find_tasks()
EVERY = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
INTERACTIVE = {name: task for name, task in TASKS.items() if task.interactive}
ANSWERED = pytest.mark.parametrize("task", INTERACTIVE.values(), ids=list(INTERACTIVE))


class Engines:
    """Engines of the shipped catalogue, each loaded once, over shared encoders."""

    def __init__(self) -> None:
        self.catalogue = read_catalogue(DEFAULT_CATALOGUE)
        self._trunks = Trunks()
        self._loaded: dict[str, Engine] = {}

    def get(self, task: AnyTask, model: str | None) -> Engine:
        entry = choose(self.catalogue, task.name, model)
        if entry.name not in self._loaded:
            self._loaded[entry.name] = load_engine(
                task.name, self.catalogue, "cpu", entry.name, self._trunks
            )
        return self._loaded[entry.name]


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    with one_thread():
        yield Engines()


@pytest.fixture(scope="module")
def admission() -> Admission:
    return Admission(TASKS, Settings().max_items_per_job)


def prepared(task: AnyTask, examples: Sequence[Example]) -> tuple[list[ModelInput], list[Any]]:
    options = [task.options_model.model_validate(dict(one.options)) for one in examples]
    inputs = [
        task.encode(task.read_item(one.input), chosen)
        for one, chosen in zip(examples, options, strict=True)
    ]
    return inputs, options


def outputs(
    task: AnyTask, raw: Sequence[Any], inputs: Sequence[ModelInput], options: Sequence[Any]
) -> list[BaseModel]:
    return [
        task.decode(one, made, chosen)
        for one, made, chosen in zip(raw, inputs, options, strict=True)
    ]


@EVERY
def test_the_name_is_one_of_queues_and_urls(task: AnyTask) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", task.name)
    for priority in Priority:
        assert queue_name(task.name, priority) == f"{task.name}.{priority}"
    assert task.summary.endswith(".")


@EVERY
def test_examples_are_in_both_languages(task: AnyTask) -> None:
    assert {"en", "zh"} <= {language_of(one) for one in task.examples}


@EVERY
def test_schemas_can_be_exported(task: AnyTask) -> None:
    for schema in (
        task.input_schema(),
        task.options_model.model_json_schema(),
        task.output_model.model_json_schema(mode="serialization"),
    ):
        assert orjson.loads(orjson.dumps(schema)) == schema
    assert {"language", "model"} <= set(task.options_model.model_fields)
    assert task.options_model.__doc__ and task.output_model.__doc__


@EVERY
def test_fields_of_one_name_are_of_one_kind(task: AnyTask) -> None:
    kinds = {
        "language": "string",
        "language_supported": "boolean",
        "truncated": "boolean",
        "score": "number",
        "start": "integer",
        "end": "integer",
    }
    schema = task.output_model.model_json_schema(mode="serialization")
    for part in (schema, *schema.get("$defs", {}).values()):
        for name, field in part.get("properties", {}).items():
            choices = field.get("anyOf", [field])
            found = {one.get("type") for one in choices} - {"null"}
            assert name not in kinds or found == {kinds[name]}, name
    languages = task.options_model.model_json_schema()["properties"]["language"]["anyOf"]
    assert languages[0] == {"enum": ["en", "zh"], "type": "string"}


@EVERY
def test_examples_are_admitted_and_survive_json(task: AnyTask, admission: Admission) -> None:
    for one in task.examples:
        job = admission.admit("t", JobRequest(task.name, input=one.input, options=one.options))
        assert job.cost >= 1
        [item] = job.payload.inputs
        stored = orjson.loads(orjson.dumps(item))
        assert stored == item
        assert admit_item(stored, task) == item
        assert task.read_item(stored) == task.read_item(one.input)
        options = orjson.loads(orjson.dumps(job.payload.options))
        assert task.options_model.model_validate(options) == task.options_model.model_validate(
            dict(one.options)
        )
    for options, inputs in by_options(task.examples):
        job = admission.admit("t", JobRequest(task.name, inputs=inputs, options=options))
        assert len(job.payload.inputs) == len(inputs)


@EVERY
def test_what_no_task_takes_is_refused_and_named(task: AnyTask, admission: Admission) -> None:
    good = task.examples[0].input
    for options in ({"no_such_option": 1}, {"language": "tlh"}, {"model": 7}):
        with pytest.raises(InvalidInput) as refused:
            admission.admit("t", JobRequest(task.name, input=good, options=options))
        assert refused.value.param == f"options.{next(iter(options))}"
    items: list[Any] = ["", " \n", None, 7, [], {"no_such_field": "x"}]
    for item in items:
        with pytest.raises(InvalidInput):
            admission.admit("t", JobRequest(task.name, inputs=[item]))


@ANSWERED
def test_every_model_of_the_examples_answers_alone_as_together(
    task: AnyTask, engines: Engines
) -> None:
    for model, examples in by_model(task).items():
        engine = engines.get(task, model)
        inputs, options = prepared(task, examples)
        assert [hash(one) for one in prepared(task, examples)[0]] == [hash(one) for one in inputs]
        encoded = engine.tokenize(inputs)
        assert len(encoded) == len(inputs)
        assert all(one.length >= 1 for one in encoded)
        together = outputs(task, engine.forward(encoded), inputs, options)
        backwards = outputs(task, engine.forward(encoded[::-1]), inputs[::-1], options[::-1])[::-1]
        for place, found in enumerate(together):
            again = engine.tokenize([inputs[place]])
            [alone] = outputs(task, engine.forward(again), [inputs[place]], [options[place]])
            wanted = alone.model_dump(mode="json")
            assert_close(found.model_dump(mode="json"), wanted)
            assert_close(backwards[place].model_dump(mode="json"), wanted)


@ANSWERED
def test_outputs_are_what_the_schema_says(task: AnyTask, engines: Engines) -> None:
    schema = task.output_model.model_json_schema(mode="serialization")
    for model, examples in by_model(task).items():
        engine = engines.get(task, model)
        inputs, options = prepared(task, examples)
        for one in outputs(task, engine.forward(engine.tokenize(inputs)), inputs, options):
            text = one.model_dump_json()
            assert task.output_model.model_validate_json(text) == one
            written = orjson.loads(text)
            assert set(schema.get("required", ())) <= set(written) <= set(schema["properties"])
            assert orjson.loads(orjson.dumps(written)) == written


@ANSWERED
def test_the_default_model_is_shipped_and_says_what_it_is(task: AnyTask, engines: Engines) -> None:
    entry = choose(engines.catalogue, task.name, None)
    engine = engines.get(task, None)
    assert (engine.name, bool(engine.revision)) == (entry.name, True)
    if entry.folder is None:
        return
    assert (entry.folder / "CARD.md").is_file()
    revisions = set()
    for shown in transcripts((ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")).values():
        name, _, revision = shown.rpartition("\n(")[2].rstrip(")").partition(" ")
        if name == entry.name:
            revisions.add(revision.partition(":")[0])
    # `python -m workers.tasks_page` shows what the model that ships now answers.
    assert revisions == {engine.revision}


def test_a_task_that_is_not_interactive_has_a_module_that_runs_it() -> None:
    """Such a worker serves nothing else; tests of the tasks go through it."""
    long = {name: task for name, task in TASKS.items() if not task.interactive}
    models = LongRunModels(long)
    for name in long:
        assert models.default(name).revision
        assert importlib.util.find_spec(f"{MODULES[TASKS[name].engine]}.__main__") is not None
