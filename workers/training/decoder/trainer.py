"""The training itself: steps of AdamW, the best weights by the dev part, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch

from workers.training.decoder.checkpoint import (
    copy_weights,
    load_checkpoint,
    load_weights,
    read_facts,
    save_checkpoint,
)
from workers.training.decoder.network import Shape, dev_loss
from workers.training.decoder.optimizers import make_optimizers
from workers.training.decoder.shards import Shards, training_windows

_FALLING: Final = 0.4
"""The part of all steps during which the learning rate falls."""
_CLIP: Final = 1.0
_MOST_MEASURED: Final = 48
"""Pieces of each language's dev part that are measured while training."""


class TrainingRefused(Exception):
    """There is another training in the folder, or none to go on with; the message says which."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained: ``steps`` of ``batch`` pieces of text.

    The learning rate rises to ``rate`` in ``warmup`` steps, stays there, and falls to 0 over
    the last part of the training: until then nothing depends on how many steps there will be.
    After every ``interval`` steps the dev part is measured and a checkpoint saved. ``seed``
    decides the first weights and the order of the pieces. ``bfloat16`` multiplies matrices with
    less precision, which is quicker on processors that have it.
    """

    steps: int
    batch: int = 4
    rate: float = 3e-3
    warmup: int = 100
    decay: float = 0.1
    interval: int = 200
    seed: int = 7
    bfloat16: bool = False

    @property
    def falls_from(self) -> int:
        """The step from which on the learning rate falls."""
        return self.steps - math.ceil(_FALLING * self.steps)

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0.

        >>> recipe = Recipe(steps=1000, rate=1.0)
        >>> [round(recipe.rate_at(step), 4) for step in (0, 99, 599, 800, 999)]
        [0.01, 1.0, 1.0, 0.5, 0.0025]
        """
        rising = (step + 1) / self.warmup if self.warmup else 1.0
        falling = (self.steps - step) / (self.steps - self.falls_from)
        return self.rate * min(1.0, rising, falling)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training is. Losses are in nats a token; ``dev`` has one a language."""

    step: int
    steps: int
    loss: float
    tokens_per_second: float
    dev: Mapping[str, float]

    @property
    def perplexities(self) -> dict[str, float]:
        """Of each language of the dev part."""
        return {name: math.exp(loss) for name, loss in self.dev.items()}


class Trainer:
    """One training in the folder ``run``. The same inputs give the same weights."""

    def __init__(self, run: Path, shards: Shards, shape: Shape, recipe: Recipe) -> None:
        self._run = run
        self._shards = shards
        self._shape = shape
        self._recipe = recipe
        self._facts = {
            "shape": asdict(shape),
            "recipe": asdict(recipe),
            "tokenizer": shards.facts["tokenizer"],
        }
        self.network = shape.build(shards.facts["vocabulary"], recipe.seed)
        self._optimizers = make_optimizers(self.network, recipe.rate, recipe.decay)
        self._step = 0
        self._best_loss = math.inf
        self._best: dict[str, torch.Tensor] = {}

    def resume(self, *, wanted: bool) -> None:
        """Go on with the checkpoint, if that is ``wanted``.

        The number of steps may be another one, as long as the learning rate does not fall in
        either: the weights are then those of a training that had it from the start.

        Raises:
            TrainingRefused: there is none; or it is of other settings, or not wanted.
        """
        found = read_facts(self._run)
        if found is None:
            if wanted:
                raise TrainingRefused(f"{self._run} has no checkpoint; leave out --resume")
            return
        if not wanted:
            raise TrainingRefused(
                f"{self._run} has a checkpoint at step {found['step']:,}; go on with --resume, or "
                "remove the folder"
            )
        earlier = Recipe(**found["recipe"])
        same = {**self._facts, "recipe": asdict(replace(self._recipe, steps=earlier.steps))}
        if {name: found.get(name) for name in same} != same:
            raise TrainingRefused(
                f"the checkpoint in {self._run} was made with other settings: {found['shape']}, "
                f"{found['recipe']}"
            )
        turn = min(earlier.falls_from, self._recipe.falls_from)
        if earlier.steps != self._recipe.steps and found["step"] > turn:
            raise TrainingRefused(
                f"the checkpoint in {self._run} is at step {found['step']:,}; --steps can be "
                f"changed until step {turn:,}, from which on the learning rate falls"
            )
        self._best = load_checkpoint(self._run, self.network, self._optimizers)
        self._step, self._best_loss = found["step"], found["best"]

    def train(
        self,
        report: Callable[[Progress], None],
        stopped: Callable[[], bool] = lambda: False,
        until: int | None = None,
    ) -> bool:
        """Train to the end; False where ``stopped`` said so after a step, with a checkpoint.

        The end is the last step, or ``until`` if that comes first. The network has the best
        weights then.
        """
        end = min(self._recipe.steps, until or self._recipe.steps)
        windows = training_windows(
            self._shards.read("train"), self._shape.context + 1, self._recipe.seed
        )
        windows = islice(windows, self._step * self._recipe.batch, None)
        losses: list[float] = []
        since, measured = time.perf_counter(), self._step
        while self._step < end:
            losses.append(self._advance(np.stack(list(islice(windows, self._recipe.batch)))))
            at_end = self._step == end
            if at_end or self._step % self._recipe.interval == 0:
                seconds = time.perf_counter() - since
                tokens = (self._step - measured) * self._recipe.batch * self._shape.context
                dev = self._measure()
                self._save()
                mean = sum(losses) / len(losses)
                report(Progress(self._step, self._recipe.steps, mean, tokens / seconds, dev))
                losses, measured, since = [], self._step, time.perf_counter()
            elif stopped():
                self._save()
            if stopped() and not at_end:
                return False
        load_weights(self.network, self._best)
        return True

    @property
    def step(self) -> int:
        """Steps done."""
        return self._step

    def _advance(self, tokens: np.ndarray) -> float:
        """One step on ``tokens`` [batch, context + 1]; returns its loss."""
        recipe = self._recipe
        batch = torch.from_numpy(tokens.astype("int64"))
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            logits = self.network(input_ids=batch[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), batch[:, 1:].flatten()
        )
        self.network.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate_at(self._step)
            optimizer.step()
        self._step += 1
        return loss.item()

    def _measure(self) -> dict[str, float]:
        """Loss of each dev part; the weights are kept where the mean over tokens is the least."""
        self.network.eval()
        names = [name for name in self._shards.parts if name != "train"]
        dev = {
            name.removeprefix("dev-"): dev_loss(
                self.network,
                self._shards,
                name,
                self._shape.context,
                self._recipe.batch,
                _MOST_MEASURED,
            )
            for name in names
        }
        self.network.train()
        sizes = [self._shards.parts[name].tokens for name in names]
        mean = sum(loss * size for loss, size in zip(dev.values(), sizes, strict=True)) / sum(sizes)
        if mean < self._best_loss:
            self._best_loss, self._best = mean, copy_weights(self.network)
        return dev

    def _save(self) -> None:
        save_checkpoint(
            self._run,
            self.network,
            self._optimizers,
            self._best,
            {**self._facts, "step": self._step, "best": self._best_loss},
        )
