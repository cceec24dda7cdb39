"""An item for a process of its own: what goes in comes out there."""

from __future__ import annotations

from lepton_tasks.nlp.base import TaskItem, TaskOptions
from lepton_tasks.nlp.long_running import LongRunInput


class Rows(TaskItem):
    path: str
    note: str | None = None


class Options(TaskOptions):
    seed: int = 7


def test_item_and_options_travel_as_json_values() -> None:
    made = LongRunInput.of(Rows(path="行.jsonl"), Options(seed=11))
    assert made.read()["item"] == {"path": "行.jsonl"}
    assert made.read()["options"]["seed"] == 11
    assert (made.text, made.language) == ("", "und")
