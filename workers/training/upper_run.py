"""Tuning upper layers and a head, step by step: a run that can be stored and gone on with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from workers.engines.encoder import SentenceEncoder
from workers.training.classifier import SoftmaxHead
from workers.training.upper_layers import AdaptedLayers, Report, UpperLayers, bert_of, padded

OnStep = Callable[[int, float], None]
"""Is told after each step how many are done and that step's loss; what it raises ends the run."""

_SORTED_TOGETHER = 1024
_VECTOR_SCALE = 20.0
"""Vectors have norm 1; the head sees them larger, so that it learns as fast as the layers."""


@dataclass(frozen=True, slots=True)
class UpperRecipe:
    """How the layers from ``first`` on are tuned. Rates are AdamW's, falling to 0.

    ``rank`` is that of adapters, and of no meaning where layers are tuned whole.
    """

    first: int
    rank: int = 16
    epochs: int = 3
    rate: float = 1e-3
    head_rate: float = 3e-3
    batch: int = 32
    dropout: float = 0.1


@dataclass(frozen=True)
class Tuned:
    """What was learned: tensors by their names in a model folder, and the head over them."""

    tensors: dict[str, torch.Tensor]
    head: SoftmaxHead


class UpperRun:
    """Learns upper layers and a softmax head from states of the lowest of them and labels.

    All randomness comes from the seed, so a run that was stored and gone on with ends as one
    that was not interrupted, on the same machine with the same number of threads.
    """

    def __init__(
        self,
        make_top: Callable[[], UpperLayers],
        states: Sequence[torch.Tensor],
        truth: npt.NDArray[np.int64],
        labels: int,
        recipe: UpperRecipe,
        seed: int,
        offset: torch.Tensor | None = None,
        head: SoftmaxHead | None = None,
    ) -> None:
        """``make_top`` makes the layers, once the seed is set.

        ``offset`` [texts, labels] is added to all logits; ``head`` is begun from.
        """
        torch.manual_seed(seed)
        self._states = states
        self._recipe = recipe
        self._lengths = [len(one) for one in states]
        self._targets = torch.from_numpy(truth)
        self._offset = offset
        self.top = make_top()
        self.head = torch.nn.Linear(states[0].shape[1], labels)
        torch.nn.init.zeros_(self.head.weight)
        if head is not None:
            with torch.no_grad():
                self.head.weight.copy_(torch.from_numpy(head.weights.T / _VECTOR_SCALE))
                self.head.bias.copy_(torch.from_numpy(head.bias))
        self.steps = recipe.epochs * math.ceil(len(states) / recipe.batch)
        self._optimizer = torch.optim.AdamW(
            [
                {"params": list(self.top.parameters()), "lr": recipe.rate},
                {"params": list(self.head.parameters()), "lr": recipe.head_rate},
            ],
            weight_decay=0.01,
        )
        self._rates = (recipe.rate, recipe.head_rate)
        self._epoch = self._in_epoch = self.done = 0
        self._epoch_state = torch.get_rng_state()

    def run(self, on_step: OnStep) -> Tuned:
        """Take the steps that are left."""
        while self._epoch < self._recipe.epochs:
            at = torch.get_rng_state()
            torch.set_rng_state(self._epoch_state)
            batches = list(_batches(self._lengths, self._recipe.batch))
            if self._in_epoch:
                torch.set_rng_state(at)
            for rows in batches[self._in_epoch :]:
                loss = self._step(rows)
                self._in_epoch += 1
                self.done += 1
                if self._in_epoch == len(batches):
                    self._epoch, self._in_epoch = self._epoch + 1, 0
                    self._epoch_state = torch.get_rng_state()
                on_step(self.done, loss)
        weights = self.head.weight.detach().double().numpy().T * _VECTOR_SCALE
        bias = self.head.bias.detach().double().numpy()
        return Tuned(self.top.named(), SoftmaxHead(weights, bias))

    def _step(self, rows: list[int]) -> float:
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * _rate(self.done, self.steps)
        logits = self.head(_VECTOR_SCALE * self.top(*padded([self._states[row] for row in rows])))
        if self._offset is not None:
            logits = logits + self._offset[rows]
        loss = functional.cross_entropy(logits, self._targets[rows])
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return loss.item()

    def state(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        """All that :meth:`restore` needs: figures, and tensors by name."""
        tensors = {f"top.{name}": one.detach() for name, one in self.top.state_dict().items()}
        tensors |= {f"head.{name}": one.detach() for name, one in self.head.state_dict().items()}
        for place, moments in self._optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{place}.{name}": one for name, one in moments.items()}
        tensors["random.epoch"] = self._epoch_state
        tensors["random.now"] = torch.get_rng_state()
        return {"epoch": self._epoch, "in_epoch": self._in_epoch, "done": self.done}, tensors

    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        """Go on from what :meth:`state` returned in a run of the same arguments."""
        self._epoch, self._in_epoch = state["epoch"], state["in_epoch"]
        self.done = state["done"]
        self.top.load_state_dict(_named(tensors, "top."))
        self.head.load_state_dict(_named(tensors, "head."))
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, one in _named(tensors, "optimizer.").items():
            place, _, key = name.partition(".")
            moments.setdefault(int(place), {})[key] = one
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self._epoch_state = tensors["random.epoch"]
        torch.set_rng_state(tensors["random.now"])


def tune(
    encoder: SentenceEncoder,
    states: Sequence[torch.Tensor],
    truth: npt.NDArray[np.int64],
    recipe: UpperRecipe,
    seed: int,
    report: Report,
) -> Tuned:
    """Learn adapters and a softmax head from ``states`` of layer ``recipe.first`` and labels."""

    def adapted() -> UpperLayers:
        return AdaptedLayers(bert_of(encoder), recipe.first, recipe.rank, recipe.dropout)

    run = UpperRun(adapted, states, truth, int(truth.max()) + 1, recipe, seed)
    per_epoch = run.steps // recipe.epochs
    losses: list[float] = []

    def note(done: int, loss: float) -> None:
        losses.append(loss)
        if done % per_epoch == 0:
            mean = sum(losses) / len(losses)
            report(f"epoch {done // per_epoch} of {recipe.epochs}: mean loss {mean:.4f}")
            losses.clear()

    return run.run(note)


def _named(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)
    }


def _rate(at: int, steps: int) -> float:
    """Share of the rate at a step: a twentieth of the way up, then down to 0."""
    rise = max(1, steps // 20)
    return min((at + 1) / rise, max(0.0, (steps - at) / (steps - rise + 1)))


def _batches(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """All rows in a random order, those of a batch of similar length."""
    order = torch.randperm(len(lengths)).tolist()
    batches = []
    for begin in range(0, len(order), _SORTED_TOGETHER):
        part = sorted(order[begin : begin + _SORTED_TOGETHER], key=lambda row: lengths[row])
        batches += [part[at : at + size] for at in range(0, len(part), size)]
    for place in torch.randperm(len(batches)).tolist():
        yield batches[place]
