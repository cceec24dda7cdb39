"""Fitting the network that says how sure a correction is, the same for the same seed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

Floats = npt.NDArray[np.float32]

_WIDE, _NARROW = 48, 24
_RATE = 4e-3
_DECAY = 1e-5


def fit_scorer(
    rows: Floats, truth: npt.NDArray[np.bool_], seed: int, epochs: int, batch: int
) -> dict[str, torch.Tensor]:
    """The parts of a ``workers.editing.scorer.Scorer``: cross-entropy by Adam, one cycle of rates.

    ``rows`` are [candidates, features]; ``truth`` says which of them is what was meant.
    """
    torch.manual_seed(seed)
    mean, scale = rows.mean(axis=0), 1 / (rows.std(axis=0) + 1e-6)
    inputs = torch.from_numpy(((rows - mean) * scale).astype(np.float32))
    wanted = torch.from_numpy(truth.astype(np.float32))
    layers = [
        torch.nn.Linear(rows.shape[1], _WIDE),
        torch.nn.Linear(_WIDE, _NARROW),
        torch.nn.Linear(_NARROW, 1),
    ]
    network = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    optimizer = torch.optim.Adam(network.parameters(), lr=_RATE / 2, weight_decay=_DECAY)
    steps = epochs * (len(wanted) // batch + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    for _ in range(epochs):
        for part in torch.split(torch.randperm(len(wanted)), batch):
            logits = network(inputs[part])[:, 0]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted[part])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    parts = {
        "mean": torch.from_numpy(mean.astype(np.float32)),
        "scale": torch.from_numpy(scale.astype(np.float32)),
    }
    for place, layer in enumerate(layers):
        parts[f"weight{place}"] = layer.weight.detach().clone()
        parts[f"bias{place}"] = layer.bias.detach().clone()
    return parts
