"""The page of tasks says what the tasks say, and its commands can be typed."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from lepton_tasks.cli import main as cli
from lepton_tasks.cli import run as module
from lepton_tasks.nlp.base import Example
from lepton_tasks.nlp.registry import AnyTask, find_tasks, interactive_tasks
from lepton_tasks.settings import Settings
from tests.support.pairs import Pairs
from workers.catalogue.entries import DEFAULT_CATALOGUE, PRODUCTION_CATALOGUE, read_catalogue
from workers.tasks_page import command_of, make_page, shown_examples, transcripts

ROOT = Path(__file__).parents[2]
TASKS = find_tasks()
INTERACTIVE = interactive_tasks()


def test_the_page_is_current() -> None:
    """``python -m workers.tasks_page`` makes it anew; what models answered is taken as it is."""
    page = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    shown = transcripts(page)

    def answer(task: AnyTask, example: Example) -> str:
        return shown.get(command_of(task, example), "not in the page")

    default, production = read_catalogue(DEFAULT_CATALOGUE), read_catalogue(PRODUCTION_CATALOGUE)
    assert make_page(TASKS, default, production, answer) == page
    assert "not in the page" not in page


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_every_task_is_shown_in_both_languages(task: AnyTask) -> None:
    assert len(shown_examples(task)) == 2


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Type a command line: gives the request that the model side would get."""
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    taken: list[Any] = []

    def become(command: list[str], settings: Settings, stdin: bytes) -> None:
        taken.append(orjson.loads(stdin))

    monkeypatch.setattr(module, "become", become)

    def run(line: str) -> Any:
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        with pytest.raises(SystemExit):
            cli.main()
        return taken.pop()

    return run


@pytest.mark.parametrize("task", INTERACTIVE.values(), ids=list(INTERACTIVE))
def test_a_command_is_its_example(typed: Any, task: AnyTask) -> None:
    for one in task.examples:
        request = typed(command_of(task, one))
        assert task.read_item(request["inputs"][0]) == task.read_item(one.input)
        options = task.options_model.model_validate(request["options"])
        assert options == task.options_model.model_validate(dict(one.options))


@pytest.mark.parametrize("text", ["-5 degrees", "two\nlines", 'it\'s "so"', "--json"])
def test_any_text_is_typed_on_one_line(typed: Any, text: str) -> None:
    line = command_of(TASKS["moderation"], Example(text))
    assert "\n" not in line
    assert typed(line)["inputs"] == [text]


def test_items_of_several_texts_are_fields(typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_tasks", lambda: {"pairs": Pairs()})
    for item in (
        {"text": "5", "others": ["好", "it's"], "case": False},
        {"text": "a=b", "others": ["one"]},
        {"text": "x", "others": []},
    ):
        line = command_of(Pairs(), Example(item))
        assert "--field" in line
        assert Pairs().read_item(typed(line)["inputs"][0]) == Pairs().read_item(item)
