"""The units of a training: heads over n-grams or vectors, and tuned layers with a head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import torch

from workers.custom.features import Report, first_layer, ngrams, rank_of, states, top_of
from workers.custom.keeper import Keeper, State
from workers.custom.logistic import Problem, Solver
from workers.engines.encoder import SentenceEncoder
from workers.engines.tuned import WHOLE
from workers.features.ngrams import NgramSpec
from workers.longruns.child import RunFailed
from workers.training.classifier import SoftmaxHead
from workers.training.reducing import reduced
from workers.training.upper_layers import AdaptedLayers, UpperLayers, WholeLayers, bert_of
from workers.training.upper_run import UpperRecipe, UpperRun

NGRAM_STRENGTH: Final = 10.0
DENSE_STRENGTH: Final = 30.0
WHOLE_RATE: Final = 2e-4
WHOLE_DROPOUT: Final = 0.1
RANK: Final = 16
_LOSS_STEPS: Final = 20

Say = Callable[..., None]
"""Is told which share of a unit is done, and its figures."""


@dataclass(frozen=True, slots=True)
class Learner:
    """Runs units one after the other, each kept when it is finished and while it is under way."""

    keeper: Keeper

    def head(
        self, unit: str, problem: Callable[[], Problem], rounds: int, say: Say
    ) -> torch.Tensor:
        """Solve ``problem`` in up to ``rounds`` rounds; weights [features + 1, labels]."""
        if (kept := self.keeper.finished(unit)) is not None:
            return kept["weights"]
        posed = problem()
        solver, weights, begun = Solver(posed), posed.start(), 0
        if (state := self.keeper.current(unit)) is not None:
            begun, weights = state[0]["rounds"], state[1]["weights"]
        for done in range(begun + 1, rounds + 1):
            ended = solver.round(weights)
            weights = ended.weights
            say(done / rounds, step=done, steps=rounds, loss=round(ended.loss, 4))
            if ended.found:
                break
            self.keeper.note(unit, _at(done, weights))
        return self.keeper.finish(unit, {"weights": weights})["weights"]

    def ngram_head(
        self,
        unit: str,
        texts: Sequence[str],
        truth: Sequence[int],
        spec: NgramSpec,
        offset: Callable[[], torch.Tensor],
        rounds: int,
        say: Say,
    ) -> SoftmaxHead:
        """Learn weights [buckets, labels] of n-grams that are added to ``offset``."""
        features, buckets = ngrams(texts, spec)

        def problem() -> Problem:
            return Problem(features, torch.tensor(truth), offset(), NGRAM_STRENGTH)

        found = self.head(unit, problem, rounds, say).numpy()
        weights = np.zeros((spec.buckets, found.shape[1]))
        weights[buckets.numpy()] = found[:-1]
        return SoftmaxHead(weights, found[-1])

    def dense_head(
        self,
        unit: str,
        vectors: Callable[[], torch.Tensor],
        truth: Sequence[int],
        offset: Callable[[], torch.Tensor],
        rounds: int,
        say: Say,
    ) -> SoftmaxHead:
        """Learn weights [width, labels] of vectors that are added to ``offset``."""

        def problem() -> Problem:
            return Problem(vectors(), torch.tensor(truth), offset(), DENSE_STRENGTH)

        found = self.head(unit, problem, rounds, say).numpy()
        return SoftmaxHead(found[:-1], found[-1])

    def tuned(
        self,
        unit: str,
        tuning: Tuning,
        texts: Sequence[str],
        truth: Sequence[int],
        labels: int,
        offset: torch.Tensor | None,
        head: SoftmaxHead | None,
        encoding: Report,
        say: Say,
    ) -> tuple[dict[str, torch.Tensor], SoftmaxHead]:
        """Tune upper layers and a head, which begins as ``head`` if there is one.

        Returns the layers' tensors, as a model folder names them, and the head.
        """
        if (kept := self.keeper.finished(unit)) is None:
            recipe = tuning.recipe()
            run = UpperRun(
                partial(tuning.make, recipe),
                states(tuning.encoder, texts, recipe.first, encoding),
                np.array(truth, dtype=np.int64),
                labels,
                recipe,
                tuning.seed,
                offset,
                head,
            )
            if (state := self.keeper.current(unit)) is not None:
                run.restore(*state)
            losses: list[float] = []

            def on_step(done: int, loss: float) -> None:
                losses.append(loss)
                mean = sum(losses[-_LOSS_STEPS:]) / len(losses[-_LOSS_STEPS:])
                say(done / run.steps, step=done, steps=run.steps, loss=round(mean, 4))
                self.keeper.note(unit, run.state)

            made = run.run(on_step)
            kept = self.keeper.finish(
                unit,
                {
                    **tuning.stored(made.tensors),
                    "head": torch.from_numpy(made.head.weights),
                    "bias": torch.from_numpy(made.head.bias),
                },
            )
        own = {name: one for name, one in kept.items() if name not in ("head", "bias")}
        return own, SoftmaxHead(kept["head"].numpy(), kept["bias"].numpy())


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the last ``layers`` of an encoder are tuned: by adapters, or ``whole``.

    ``upper`` are tensors of layers that were tuned before, which go on being tuned. ``rank`` is
    that of adapters, also of those that whole layers are stored as; None for the usual, or whole.
    """

    encoder: SentenceEncoder
    upper: Mapping[str, torch.Tensor]
    whole: bool
    layers: int
    epochs: int
    seed: int
    rank: int | None = None

    def recipe(self) -> UpperRecipe:
        """Which layers, and how.

        Raises:
            RunFailed: adapters are asked for over layers that were tuned whole.
        """
        first = max(0, len(bert_of(self.encoder).layers) - self.layers)
        if self.upper:
            first = min(first, first_layer(self.upper))
        if self.whole:
            return UpperRecipe(first, epochs=self.epochs, rate=WHOLE_RATE, dropout=WHOLE_DROPOUT)
        if any(name.startswith(WHOLE) for name in self.upper):
            raise RunFailed(
                "wrong_method",
                "the base's layers were tuned whole: take top-layers, or encoder-head",
            )
        rank = rank_of(self.upper) if self.upper else self.rank or RANK
        if self.rank not in (None, rank):
            raise RunFailed(
                "wrong_method", f"the base's adapters have the rank {rank}: leave out rank"
            )
        return UpperRecipe(first, rank=rank, epochs=self.epochs, dropout=0.0)

    def stored(self, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """What was learned, as it is stored: a copy of layers reduced where a rank is given."""
        if not self.whole or self.rank is None:
            return tensors
        return reduced(tensors, bert_of(self.encoder), self.rank)

    def make(self, recipe: UpperRecipe) -> UpperLayers:
        """The layers as they begin."""
        bert = bert_of(self.encoder)
        if self.whole:
            before = top_of(self.encoder, self.upper)
            layers = bert.layers if before is None else before.layers
            return WholeLayers(bert, layers, recipe.first, recipe.dropout)
        top = AdaptedLayers(bert, recipe.first, recipe.rank, recipe.dropout)
        top.begin_from(self.upper)
        return top


def _at(rounds: int, weights: torch.Tensor) -> Callable[[], State]:
    return lambda: ({"rounds": rounds}, {"weights": weights})
