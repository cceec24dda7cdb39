"""A checkpoint is gone on from by the training that it is of, and by no other."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from workers.training.decoder.checkpoint import save_checkpoint
from workers.training.decoder.resuming import TrainingRefused, resume
from workers.training.decoder.trainer import Recipe

RECIPE = Recipe(steps=100)


class Trained:
    """A trainer, as far as going on is concerned."""

    def __init__(self, recipe: Recipe = RECIPE, tokenizer: str = "t") -> None:
        self.recipe = recipe
        self.settings = {"shape": {"width": 8}, "recipe": asdict(recipe), "tokenizer": tokenizer}
        self.restored: Any = None

    def restore(self, facts: Any, tensors: Any) -> None:
        self.restored = facts["step"], dict(tensors)


def kept(run: Path, step: int) -> None:
    save_checkpoint(run, {**Trained().settings, "step": step, "best": 1.0}, {"w": torch.ones(2)})


def go_on(run: Path, trainer: Trained, *, wanted: bool = True) -> Any:
    resume(trainer, run, wanted=wanted)  # type: ignore[arg-type] # what it asks of a trainer
    return trainer.restored


def test_without_a_checkpoint_a_training_begins(tmp_path: Path) -> None:
    assert go_on(tmp_path, Trained(), wanted=False) is None
    with pytest.raises(TrainingRefused, match="no checkpoint; leave out --resume"):
        go_on(tmp_path, Trained())


def test_its_own_is_gone_on_from_if_that_is_wanted(tmp_path: Path) -> None:
    kept(tmp_path, 40)
    with pytest.raises(TrainingRefused, match="at step 40; go on with --resume"):
        go_on(tmp_path, Trained(), wanted=False)
    step, tensors = go_on(tmp_path, Trained())
    assert (step, tensors["w"].tolist()) == (40, [1.0, 1.0])


@pytest.mark.parametrize(
    "other", [Trained(tokenizer="u"), Trained(replace(RECIPE, seed=8)), Trained(Recipe(100, 8))]
)
def test_that_of_another_training_is_refused(tmp_path: Path, other: Trained) -> None:
    kept(tmp_path, 40)
    with pytest.raises(TrainingRefused, match="made with other settings"):
        go_on(tmp_path, other)


def test_the_number_of_steps_may_change_while_the_rate_does_not_fall(tmp_path: Path) -> None:
    longer = replace(RECIPE, steps=400)
    kept(tmp_path, RECIPE.falls_from)
    assert go_on(tmp_path, Trained(longer))[0] == RECIPE.falls_from
    kept(tmp_path, RECIPE.falls_from + 1)
    with pytest.raises(TrainingRefused, match="until step"):
        go_on(tmp_path, Trained(longer))
