"""Training and compression as tasks: what is refused before anything is queued."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.errors import ConfigError, InvalidInput
from lepton_tasks.nlp.compression import Compression
from lepton_tasks.nlp.long_running import LongRunInput
from lepton_tasks.nlp.registry import check_apart, find_tasks, interactive_tasks, long_tasks
from lepton_tasks.nlp.training import Training
from lepton_tasks.requests import Admission, JobRequest
from tests.support.labelled import opinions
from tests.support.texts import days

GATE = Admission({"training": Training(), "compression": Compression()}, 4)
ROWS = opinions(12)


def refused(item: Any, options: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        GATE.admit("t", JobRequest("training", input=item, options=options))
    return caught.value


@pytest.mark.parametrize(
    ("rows", "param", "says"),
    [
        ([], "input", "there are 0 rows"),
        (ROWS[:9], "input", "there are 9 rows"),
        ([{"text": str(n), "label": "a"} for n in range(10)], "input", "all rows have one label"),
        ([*ROWS, {"text": "SECRET", "label": "alone"}], "input", r"rows[12] is the only row"),
        ([*ROWS, {"text": "SECRET"}], "input.rows[12].label", "Field required"),
        ([*ROWS, {"text": "", "label": "a"}], "input.rows[12].text", "at least 1 character"),
        ([*ROWS, {"text": " ", "label": "positive"}], "input.rows[12].text", "is empty"),
        ([*ROWS, {"text": "a", "label": "b" * 101}], "input.rows[12].label", "at most 100"),
        ([*ROWS, "a"], "input.rows[12]", "LabelledRow"),
    ],
)
def test_rows_are_checked_and_the_wrong_one_named(rows: Any, param: str, says: str) -> None:
    error = refused({"rows": rows}, {"model": "m"})
    assert error.param == param and says in str(error) and "SECRET" not in str(error)


@pytest.mark.parametrize("file", ["../a", "/etc/passwd", "a/../../b", "a\\b", ".", ""])
def test_no_path_leads_out_of_the_data_folder(file: str) -> None:
    assert refused({"file": file}, {"model": "m"}).param in ("input.file", "input")


def test_one_of_rows_and_file() -> None:
    assert "exactly one" in str(refused({}, {"model": "m"}))
    assert "exactly one" in str(refused({"rows": ROWS, "file": "a.jsonl"}, {"model": "m"}))
    assert "exactly one" in str(refused({"rows": ROWS, "texts": ["a"]}, {"model": "m"}))


def test_rows_are_for_classifiers_and_texts_for_language_models() -> None:
    texts = days(80, "zh")
    writer = {"model": "m", "method": "language-model"}
    job = GATE.admit("t", JobRequest("training", input={"texts": texts}, options=writer))
    assert job.payload.inputs == ({"texts": texts},)
    wrong = refused({"rows": ROWS}, writer)
    assert wrong.param == "input.rows" and "takes texts, or a file" in str(wrong)
    wrong = refused({"texts": texts}, {"model": "m"})
    assert wrong.param == "input.texts" and "takes rows, or a file" in str(wrong)
    several = JobRequest("training", inputs=[{"texts": texts}, {"rows": ROWS}], options=writer)
    with pytest.raises(InvalidInput) as caught:
        GATE.admit("t", several)
    assert caught.value.param == "inputs[1].rows"
    assert "there are 9 documents" in str(refused({"texts": texts[:9]}, writer))
    assert "characters; training takes 1,000" in str(refused({"texts": texts[:20]}, writer))
    assert refused({"texts": [*texts, " "]}, writer).param == "input.texts[80]"


@pytest.mark.parametrize(
    ("options", "param"),
    [
        (None, "options.model"),
        ({}, "options.model"),
        ({"model": "../x"}, "options.model"),
        ({"model": "m", "method": "magic"}, "options.method"),
        ({"model": "m", "epochs": 0}, "options.epochs"),
        ({"model": "m", "holdout": 0.9}, "options.holdout"),
        ({"model": "m", "task": "moderation"}, "options.task"),
        ({"model": "m", "steps": 5}, "options.steps"),
        ({"model": "m", "rank": 5}, "options.rank"),
        ({"model": "m", "method": "lora", "width": 64}, "options.width"),
        ({"model": "m", "method": "language-model", "width": 33}, "options.width"),
        ({"model": "m", "method": "language-model", "base": "sentiment"}, "options.base"),
        ({"model": "m", "method": "language-model", "epochs": 2}, "options.epochs"),
        ({"model": "m", "method": "language-model", "vocabulary": 20}, "options.vocabulary"),
    ],
)
def test_options_are_checked(options: Any, param: str) -> None:
    assert refused({"rows": ROWS}, options).param == param


def test_a_job_holds_what_was_sent() -> None:
    job = GATE.admit("t", JobRequest("training", input={"rows": ROWS}, options={"model": "m"}))
    [item] = job.payload.inputs
    assert item == {"rows": ROWS}
    task = Training()
    made = task.encode(task.read_item(item), task.options_model.model_validate({"model": "m"}))
    assert isinstance(made, LongRunInput)
    assert made.read()["item"] == {"rows": ROWS} and made.read()["options"]["seed"] == 7
    assert task.model_of(task.options_model.model_validate({"model": "m"})) is None


def test_long_tasks_have_workers_of_their_own() -> None:
    assert {"training", "compression"} <= set(long_tasks())
    assert {**interactive_tasks(), **long_tasks()}.keys() == find_tasks().keys()
    check_apart(["training", "compression"], list(long_tasks()))
    check_apart(["sentiment"], [])
    with pytest.raises(ConfigError, match="apart from sentiment"):
        check_apart(["training", "sentiment"], ["training"])
