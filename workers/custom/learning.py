"""The units of a training: heads over n-grams or vectors, and tuned layers with a head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from workers.custom.features import Report, first_layer, ngrams, rank_of, states
from workers.custom.keeper import Keeper, State
from workers.custom.logistic import Problem, Solver
from workers.engines.encoder import SentenceEncoder
from workers.features.ngrams import NgramSpec
from workers.training.adapter_run import AdapterRun
from workers.training.adapters import AdapterRecipe, bert_of
from workers.training.classifier import SoftmaxHead

NGRAM_STRENGTH: Final = 10.0
DENSE_STRENGTH: Final = 30.0
_RANK: Final = 16
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
        encoder: SentenceEncoder,
        texts: Sequence[str],
        truth: Sequence[int],
        labels: int,
        layers: int,
        epochs: int,
        seed: int,
        offset: torch.Tensor | None,
        head: SoftmaxHead | None,
        adapters: Mapping[str, torch.Tensor],
        encoding: Report,
        say: Say,
    ) -> tuple[dict[str, torch.Tensor], SoftmaxHead]:
        """Tune the last ``layers`` by adapters, from ``adapters`` and ``head`` on.

        Layers that ``adapters`` tune go on being tuned.
        """
        if (kept := self.keeper.finished(unit)) is None:
            bert = bert_of(encoder)
            first = max(0, len(bert.layers) - layers)
            rank = _RANK
            if adapters:
                first, rank = min(first, first_layer(adapters)), rank_of(adapters)
            run = AdapterRun(
                bert,
                states(encoder, texts, first, encoding),
                np.array(truth, dtype=np.int64),
                labels,
                AdapterRecipe(first=first, rank=rank, epochs=epochs, dropout=0.0),
                seed,
                offset,
                head,
                adapters,
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
                    **made.adapters,
                    "head": torch.from_numpy(made.head.weights),
                    "bias": torch.from_numpy(made.head.bias),
                },
            )
        own = {name: one for name, one in kept.items() if name not in ("head", "bias")}
        return own, SoftmaxHead(kept["head"].numpy(), kept["bias"].numpy())


def _at(rounds: int, weights: torch.Tensor) -> Callable[[], State]:
    return lambda: ({"rounds": rounds}, {"weights": weights})
