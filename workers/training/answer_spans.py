"""Fitting the model of answer spans: softmax over all spans of a sentence, cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from workers.features.answers import (
    BUCKETS,
    LENGTHS,
    MOST_WORDS,
    ROLES,
    SHAPES,
    SpanWeights,
    Words,
    length_classes,
)
from workers.features.question_kinds import KINDS

_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Answered:
    """A sentence, and the answer in it: its first word, and how many more it has."""

    words: Words
    first: int
    more: int


def fit_spans(examples: Sequence[Answered], strength: float) -> SpanWeights:
    """Return the weights under which the answers of ``examples``, at least one, are likely.

    ``strength`` is that of the L2 penalty, in examples. Nothing is drawn at random.
    """
    table = _Table(examples)
    shared = len(KINDS)
    shapes = torch.zeros(shared + 1, len(ROLES), len(SHAPES), requires_grad=True)
    words = torch.zeros(len(ROLES), BUCKETS, requires_grad=True)
    lengths = torch.zeros(shared + 1, len(LENGTHS), requires_grad=True)
    parameters = [shapes, words, lengths]
    optimizer = torch.optim.LBFGS(parameters, max_iter=_ROUNDS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = table.surprise(shapes, words, lengths)
        value = value + strength / 2 * sum((one**2).sum() for one in parameters)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    found = [one.detach().double().numpy() for one in parameters]
    return SpanWeights(*found)


class _Table:
    """All words and spans of all sentences, laid end to end."""

    def __init__(self, examples: Sequence[Answered]) -> None:
        self.shapes = torch.from_numpy(np.concatenate([one.words.shapes for one in examples]))
        self.buckets = torch.from_numpy(np.concatenate([one.words.buckets for one in examples]))
        self.kinds = np.concatenate(
            [np.full(len(one.words.buckets), one.words.kind) for one in examples]
        )
        starts, more, owners, wanted = [], [], [], []
        base = spans = 0
        for owner, one in enumerate(examples):
            count = len(one.words.words)
            first, further = np.nonzero(np.arange(count)[:, None] + np.arange(MOST_WORDS) < count)
            wanted.append(spans + int(((first == one.first) & (further == one.more)).argmax()))
            starts.append(first + base)
            more.append(further)
            owners.append(np.full(len(first), owner))
            base += count + 2
            spans += len(first)
        self.starts = torch.from_numpy(np.concatenate(starts))
        self.more = torch.from_numpy(np.concatenate(more))
        self.owners = torch.from_numpy(np.concatenate(owners))
        self.wanted = torch.tensor(wanted)
        self.examples = len(examples)
        self.classes = torch.from_numpy(length_classes())

    def surprise(
        self, shapes: torch.Tensor, words: torch.Tensor, lengths: torch.Tensor
    ) -> torch.Tensor:
        """Cross-entropy of the answers, summed."""
        by_role = self.shapes @ shapes[-1].T + words.T[self.buckets]
        for kind in range(len(KINDS)):
            rows = torch.from_numpy(np.flatnonzero(self.kinds == kind))
            by_role = by_role.index_add(0, rows, self.shapes[rows] @ shapes[kind].T)
        before, start, inside, end, after = by_role.T
        sums = torch.cumsum(inside.double(), 0)
        last = self.starts + 1 + self.more
        kinds = torch.from_numpy(self.kinds)[self.starts]
        classes = self.classes[self.more]
        logits = (sums[last] - sums[self.starts]).float()
        logits = logits + before[self.starts] + start[self.starts + 1]
        logits = logits + end[last] + after[last + 1]
        logits = logits + lengths[-1][classes] + lengths[kinds, classes]
        most = torch.full((self.examples,), -torch.inf).scatter_reduce(
            0, self.owners, logits.detach(), "amax"
        )
        odds = torch.zeros(self.examples).index_add(
            0, self.owners, torch.exp(logits - most[self.owners])
        )
        surprise: torch.Tensor = (torch.log(odds) + most - logits[self.wanted]).sum()
        return surprise
