"""Names of what is made: taken, new, and the command that asks for the same again."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from lepton_tasks.nlp.training import TrainingOptions
from lepton_tasks.settings import Settings
from workers.custom.naming import check_name, command_of, serves_at_once
from workers.longruns.child import RunFailed


def test_a_new_name_serves_at_once_and_a_known_one_when_asked(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert serves_at_once(TrainingOptions(model="brand-new"), settings)
    assert not serves_at_once(TrainingOptions(model="topics"), settings)
    assert serves_at_once(TrainingOptions(model="topics", serve=True), settings)


def test_a_name_of_another_kind_of_model_is_taken(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    check_name("topics", "classification", "text-classifier", settings)
    check_name("brand-new", "generation", "decoder", settings)
    with pytest.raises(RunFailed, match="'topics' is a model for classification") as caught:
        check_name("topics", "generation", "decoder", settings)
    assert caught.value.code == "name_taken"


def test_the_command_says_what_was_asked() -> None:
    options = TrainingOptions(model="m", base="sentiment", serve=True, holdout=0.3)
    words = shlex.split(command_of({"file": "my reviews.jsonl"}, options))
    assert words[:5] == ["lepton", "train", "my reviews.jsonl", "--name", "m"]
    assert words[5:] == [
        *("--method", "ngram-head"),
        *("--base", "sentiment"),
        *("--seed", "7"),
        *("--holdout", "0.3"),
        "--serve",
    ]
