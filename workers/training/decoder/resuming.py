"""Whether a training may go on from the checkpoint in its folder, as its command was told."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from workers.training.decoder.checkpoint import read_facts, read_tensors
from workers.training.decoder.trainer import Recipe, Trainer


class TrainingRefused(Exception):
    """There is another training in the folder, or none to go on with; the message says which."""


def resume(trainer: Trainer, run: Path, *, wanted: bool) -> None:
    """Go on with the checkpoint in ``run``, if that is ``wanted``.

    The number of steps may be another one, as long as the learning rate does not fall in
    either: the weights are then those of a training that had it from the start.

    Raises:
        TrainingRefused: there is none; or it is of other settings, or not wanted.
    """
    found = read_facts(run)
    if found is None:
        if wanted:
            raise TrainingRefused(f"{run} has no checkpoint; leave out --resume")
        return
    if not wanted:
        raise TrainingRefused(
            f"{run} has a checkpoint at step {found['step']:,}; go on with --resume, or "
            "remove the folder"
        )
    earlier, recipe = Recipe(**found["recipe"]), trainer.recipe
    same = {**trainer.settings, "recipe": asdict(replace(recipe, steps=earlier.steps))}
    if {name: found.get(name) for name in same} != same:
        raise TrainingRefused(
            f"the checkpoint in {run} was made with other settings: {found['shape']}, "
            f"{found['recipe']}"
        )
    turn = min(earlier.falls_from, recipe.falls_from)
    if earlier.steps != recipe.steps and found["step"] > turn:
        raise TrainingRefused(
            f"the checkpoint in {run} is at step {found['step']:,}; --steps can be "
            f"changed until step {turn:,}, from which on the learning rate falls"
        )
    trainer.restore(found, read_tensors(run))
