"""Names that stand for defaults, each for its own task alone."""

from __future__ import annotations

import pytest

from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.openai.aliases import ALIASES, DEFAULT, model_option, model_told


def test_every_alias_stands_for_the_default_of_a_task_that_exists() -> None:
    assert set(ALIASES.values()) <= set(find_tasks())
    assert all(model_option(task, name) is None for name, task in ALIASES.items())


@pytest.mark.parametrize("name", [None, DEFAULT])
def test_no_name_is_the_default_of_any_task(name: str | None) -> None:
    assert model_option("chat", name) is None


def test_a_name_of_another_task_or_of_a_catalogue_goes_on_to_the_worker() -> None:
    for name in ("omni-moderation-latest", "bge-m3", "我们的模型", ""):
        assert model_option("embedding", name) == name


@pytest.mark.parametrize(
    ("asked", "answered", "told"),
    [
        (None, "chat", "chat"),
        (DEFAULT, "chat", "chat"),
        (DEFAULT, None, DEFAULT),
        ("我们的模型", "chat", "我们的模型"),
    ],
)
def test_whoever_leaves_the_choice_is_told_which_model_answered(
    asked: str | None, answered: str | None, told: str
) -> None:
    assert model_told(asked, answered) == told
