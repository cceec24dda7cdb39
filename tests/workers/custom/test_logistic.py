"""Logistic regression over an offset: the known optimum, round by round."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from tests.support.models import one_thread
from workers.custom.logistic import Problem, Solver

ROWS, FEATURES, LABELS = 90, 12, 3


def a_problem(sparse: bool, offset: torch.Tensor | None = None) -> Problem:
    generator = torch.Generator().manual_seed(3)
    dense = torch.randn(ROWS, FEATURES, generator=generator, dtype=torch.float64)
    dense[dense.abs() < 0.5] = 0
    truth = (dense[:, :LABELS] + torch.randn(ROWS, LABELS, generator=generator)).argmax(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that CSR is in beta
        features = dense.to_sparse_csr() if sparse else dense
    zeros = torch.zeros(ROWS, LABELS, dtype=torch.float64)
    return Problem(features, truth, zeros if offset is None else offset, 2.0)


def solved(problem: Problem, rounds: int = 30) -> torch.Tensor:
    solver, weights = Solver(problem), problem.start()
    for _ in range(rounds):
        ended = solver.round(weights)
        weights = ended.weights
        if ended.found:
            return weights
    raise AssertionError("no solution was found")


@pytest.mark.parametrize("sparse", [False, True])
def test_it_finds_what_scikit_learn_finds(sparse: bool) -> None:
    with one_thread():
        problem = a_problem(sparse)
        found = solved(problem).numpy()
    features = csr_matrix(problem.features.to_dense().numpy())
    model = LogisticRegression(C=2.0, tol=1e-8, max_iter=1000).fit(features, problem.truth.numpy())
    ours = problem.features.to_dense().numpy() @ found[:-1] + found[-1]
    theirs = features @ model.coef_.T + model.intercept_
    odds = [np.exp(one) / np.exp(one).sum(1, keepdims=True) for one in (ours, theirs)]
    assert np.abs(odds[0] - odds[1]).max() < 5e-3


def test_what_the_offset_says_already_is_not_learned_again() -> None:
    with one_thread():
        first = a_problem(sparse=False)
        weights = solved(first)
        said = first.features @ weights[:-1] + weights[-1]
        added = solved(a_problem(sparse=False, offset=said))
        # The penalty is on what is added, so a little more is.
        assert added[:-1].abs().max() < 0.5 * weights[:-1].abs().max()


def test_a_round_depends_on_its_first_weights_alone() -> None:
    with one_thread():
        problem = a_problem(sparse=True)
        solver = Solver(problem)
        once = solver.round(problem.start())
        twice = solver.round(once.weights)
        again = Solver(a_problem(sparse=True)).round(once.weights.clone())
    assert torch.equal(twice.weights, again.weights)
    assert twice.loss <= once.loss
