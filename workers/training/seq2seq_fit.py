"""Fit an encoder-decoder network to pairs of token lists, on one core, the same way every time."""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch.nn.functional import cross_entropy

_NO_TARGET: Final = -100


@dataclass(frozen=True, slots=True)
class TokenPair:
    """A source text and what is to come out, as tokens; both end with the end token."""

    source: Sequence[int]
    target: Sequence[int]


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to train and how hard.

    The learning rate rises to ``peak`` over ``warmup`` steps, stays, and falls to nothing
    over the last ``cooling`` epochs (Hu et al. 2024, MiniCPM), so that a plan for more epochs
    goes on from the checkpoint of one for fewer. What is kept is a running mean of the
    weights with ``decay``, shorter in the beginning (Polyak & Juditsky 1992).
    """

    epochs: int
    cooling: int
    batch: int = 48
    peak: float = 1e-3
    warmup: int = 400
    smoothing: float = 0.1
    decay: float = 0.998
    clip: float = 1.0

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of ``step``, counted from 0, where an epoch has ``steps``.

        >>> plan = Plan(epochs=4, cooling=2, peak=1.0, warmup=10)
        >>> [round(plan.rate(step, 10), 2) for step in (0, 9, 19, 20, 30, 39)]
        [0.1, 1.0, 1.0, 1.0, 0.5, 0.05]
        """
        left = (self.epochs * steps - step) / max(1, self.cooling * steps)
        return self.peak * min(1.0, (step + 1) / self.warmup, left)


class Fit:
    """Training that can be interrupted after any epoch and goes on as if it had not been."""

    def __init__(self, network: Any, plan: Plan, seed: int, state: Path | None = None) -> None:
        """``state`` is a file for what an interrupted run needs; it is read where it exists."""
        self._network = network
        self._plan = plan
        self._file = state
        self._order = random.Random(seed)
        self._optimizer = torch.optim.AdamW(
            [one for one in network.parameters() if one.requires_grad],
            lr=plan.peak,
            betas=(0.9, 0.98),
            weight_decay=0.01,
        )
        self._mean = {name: one.detach().clone() for name, one in network.named_parameters()}
        self._done = 0
        self._best = math.inf
        if state is not None and state.is_file():
            self._restore(torch.load(state, weights_only=True))

    def run(
        self,
        pairs: Sequence[TokenPair],
        dev: Sequence[TokenPair],
        keep: Callable[[Mapping[str, torch.Tensor]], None],
    ) -> float:
        """Train to the end of the plan; return the lowest loss a token on ``dev``.

        After each epoch whose mean weights are the best so far on ``dev``, ``keep`` gets
        them. Prints a line an epoch to standard error.
        """
        while self._done < self._plan.epochs:
            began = time.monotonic()
            loss = self._epoch(pairs)
            self._done += 1
            held_out = dev_loss(self._network, self._mean, dev, self._plan.batch)
            print(
                f"epoch {self._done}/{self._plan.epochs}: train {loss:.3f}, dev {held_out:.3f}, "
                f"{time.monotonic() - began:.0f} s, of the processor "
                f"{time.process_time():.0f} s in all",
                file=sys.stderr,
                flush=True,
            )
            if held_out < self._best:
                self._best = held_out
                keep(self._mean)
            self._save()
        return self._best

    def _epoch(self, pairs: Sequence[TokenPair]) -> float:
        plan, network = self._plan, self._network
        network.train()
        total = tokens = 0.0
        batches = bucketed(pairs, plan.batch, self._order)
        for place, batch in enumerate(batches):
            step = self._done * len(batches) + place
            for group in self._optimizer.param_groups:
                group["lr"] = plan.rate(step, len(batches))
            loss, count = batch_loss(network, batch, plan.smoothing)
            self._optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(network.parameters(), plan.clip)
            self._optimizer.step()
            self._average(min(plan.decay, (step + 1) / (step + 11)))
            total, tokens = total + float(loss.detach()) * count, tokens + count
        return total / tokens

    @torch.no_grad()
    def _average(self, decay: float) -> None:
        for name, one in self._network.named_parameters():
            self._mean[name].lerp_(one, 1 - decay)

    def _save(self) -> None:
        if self._file is None:
            return
        version, numbers, gauss = self._order.getstate()
        state = {
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "mean": self._mean,
            "torch": torch.get_rng_state(),
            "order": [version, list(numbers), gauss],
            "done": self._done,
            "best": self._best,
        }
        fresh = self._file.with_suffix(".new")
        torch.save(state, fresh)
        fresh.replace(self._file)

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._mean = state["mean"]
        torch.set_rng_state(state["torch"])
        version, numbers, gauss = state["order"]
        self._order.setstate((version, tuple(numbers), gauss))
        self._done, self._best = state["done"], state["best"]


def bucketed(
    pairs: Sequence[TokenPair], size: int, order: random.Random
) -> list[Sequence[TokenPair]]:
    """All ``pairs`` in batches of similar length, batches and equal lengths in random order."""
    drawn = sorted(pairs, key=lambda pair: (len(pair.source) + len(pair.target), order.random()))
    batches: list[Sequence[TokenPair]] = [
        drawn[start : start + size] for start in range(0, len(drawn), size)
    ]
    order.shuffle(batches)
    return batches


def batch_loss(
    network: Any, batch: Sequence[TokenPair], smoothing: float
) -> tuple[torch.Tensor, int]:
    """Cross entropy a target token of ``batch``, and how many tokens these are."""
    pad = network.config.pad_token_id
    source = _padded([pair.source for pair in batch], pad)
    target = _padded([pair.target for pair in batch], _NO_TARGET)
    start = torch.full((len(batch), 1), network.config.decoder_start_token_id)
    shifted = torch.cat([start, target[:, :-1].clamp(min=0)], dim=1)
    hidden = network.model(
        input_ids=source, attention_mask=(source != pad).long(), decoder_input_ids=shifted
    ).last_hidden_state
    real = target != _NO_TARGET
    logits = network.lm_head(hidden[real])
    return cross_entropy(logits, target[real], label_smoothing=smoothing), int(real.sum())


@torch.no_grad()
def dev_loss(
    network: Any, weights: Mapping[str, torch.Tensor], dev: Sequence[TokenPair], size: int
) -> float:
    """Plain cross entropy a token on ``dev`` with ``weights`` in place of the network's own."""
    network.eval()
    own = {name: one.detach().clone() for name, one in network.named_parameters()}
    _load(network, weights)
    total = tokens = 0.0
    for batch in bucketed(dev, size, random.Random(0)):
        loss, count = batch_loss(network, batch, 0.0)
        total, tokens = total + float(loss) * count, tokens + count
    _load(network, own)
    return total / tokens


@torch.no_grad()
def _load(network: Any, weights: Mapping[str, torch.Tensor]) -> None:
    for name, one in network.named_parameters():
        one.copy_(weights[name])


def _padded(rows: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows])
