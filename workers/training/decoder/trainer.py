"""The training itself: steps, the best weights by the dev part, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Final, Protocol

import numpy as np
import torch

from workers.training.decoder.checkpoint import copy_weights, gather, load_weights, put_back
from workers.training.decoder.network import Shape, dev_loss
from workers.training.decoder.optimizers import make_optimizers
from workers.training.decoder.preprocessing import DEV
from workers.training.decoder.shards import Shards, training_windows

_FALLING: Final = 0.4
"""The part of all steps during which the learning rate falls."""
_CLIP: Final = 1.0
_MOST_MEASURED: Final = 48
"""Pieces of each language's dev part that are measured while training."""


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
    """Where a training is. Losses are in nats a token; ``dev`` has one a language.

    ``dev_loss`` is the mean over the tokens of all languages.
    """

    step: int
    steps: int
    loss: float
    tokens_per_second: float
    dev: Mapping[str, float]
    dev_loss: float

    @property
    def perplexities(self) -> dict[str, float]:
        """Of each language of the dev part."""
        return {name: math.exp(loss) for name, loss in self.dev.items()}


class Watch(Protocol):
    """Who watches a training. None of it changes what comes out."""

    def measured(self, progress: Progress) -> None:
        """Take what the held-out part says, after every interval."""
        ...

    def stepped(self, step: int, loss: float) -> bool:
        """Take a step's loss; True asks for a checkpoint now."""
        ...

    def stops(self) -> bool:
        """Whether to end after this step, with a checkpoint."""
        ...

    def keep(self, facts: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        """Store a checkpoint, which :meth:`Trainer.restore` takes."""
        ...


class Trainer:
    """One training. The same inputs give the same weights."""

    def __init__(self, shards: Shards, shape: Shape, recipe: Recipe) -> None:
        self._shards = shards
        self._shape = shape
        self.recipe = recipe
        self.settings = {
            "shape": asdict(shape),
            "recipe": asdict(recipe),
            "tokenizer": shards.facts["tokenizer"],
        }
        """What has to be the same for a checkpoint to be gone on from, as JSON values."""
        self.network = shape.build(shards.facts["vocabulary"], recipe.seed)
        self._optimizers = make_optimizers(self.network, recipe.rate, recipe.decay)
        self.step = 0
        """Steps done."""
        self._best_loss = math.inf
        self._best: dict[str, torch.Tensor] = {}

    def restore(self, facts: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        """Go on from what :class:`Watch` was given to keep, in a training of the same settings."""
        self._best = put_back(tensors, self.network, self._optimizers)
        self.step, self._best_loss = facts["step"], facts["best"] or math.inf

    def train(self, watch: Watch, until: int | None = None) -> bool:
        """Train to the end; False where ``watch`` stopped it before, with a checkpoint.

        The end is the last step, or ``until`` if that comes first. The network has the best
        weights then.
        """
        end = min(self.recipe.steps, until or self.recipe.steps)
        windows = training_windows(
            self._shards.read("train"), self._shape.context + 1, self.recipe.seed
        )
        windows = islice(windows, self.step * self.recipe.batch, None)
        losses: list[float] = []
        since, measured = time.perf_counter(), self.step
        while self.step < end:
            losses.append(self._advance(np.stack(list(islice(windows, self.recipe.batch)))))
            at_end = self.step == end
            due = watch.stepped(self.step, losses[-1])
            if at_end or self.step % self.recipe.interval == 0:
                seconds = time.perf_counter() - since
                tokens = (self.step - measured) * self.recipe.batch * self._shape.context
                dev, dev_loss = self._measure()
                self._keep(watch)
                mean = sum(losses) / len(losses)
                speed = tokens / seconds
                steps = self.recipe.steps
                watch.measured(Progress(self.step, steps, mean, speed, dev, dev_loss))
                losses, measured, since = [], self.step, time.perf_counter()
            elif due or watch.stops():
                self._keep(watch)
            if watch.stops() and not at_end:
                return False
        load_weights(self.network, self._best)
        return True

    def _advance(self, tokens: np.ndarray) -> float:
        """One step on ``tokens`` [batch, context + 1]; returns its loss."""
        recipe = self.recipe
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
                group["lr"] = recipe.rate_at(self.step)
            optimizer.step()
        self.step += 1
        return loss.item()

    def _measure(self) -> tuple[dict[str, float], float]:
        """Loss of each dev part, and the mean over all tokens; the weights with the least stay."""
        self.network.eval()
        names = [name for name in self._shards.parts if name != "train"]
        dev = {
            name.removeprefix(DEV): dev_loss(
                self.network,
                self._shards,
                name,
                self._shape.context,
                self.recipe.batch,
                _MOST_MEASURED,
            )
            for name in names
        }
        self.network.train()
        sizes = [self._shards.parts[name].tokens for name in names]
        mean = sum(loss * size for loss, size in zip(dev.values(), sizes, strict=True)) / sum(sizes)
        if mean < self._best_loss:
            self._best_loss, self._best = mean, copy_weights(self.network)
        return dev, mean

    def _keep(self, watch: Watch) -> None:
        best = None if math.isinf(self._best_loss) else self._best_loss
        facts = {**self.settings, "step": self.step, "best": best}
        watch.keep(facts, gather(self.network, self._optimizers, self._best))
