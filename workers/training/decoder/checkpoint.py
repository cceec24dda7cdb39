"""A training that was cut off goes on where it was: everything in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open
from safetensors.torch import save

from workers.training.decoder.files import replacing

CHECKPOINT: Final = "checkpoint.safetensors"
_WEIGHTS, _BEST, _MOMENTS = "weights.", "best.", "moments."


def save_checkpoint(
    run: Path,
    network: Any,
    optimizers: Sequence[torch.optim.Optimizer],
    best: dict[str, torch.Tensor],
    facts: dict[str, Any],
) -> None:
    """Write the network, the optimizers' moments, the best weights so far and ``facts``."""
    tensors = {f"{_WEIGHTS}{name}": one for name, one in _parameters(network).items()}
    tensors |= {f"{_BEST}{name}": one for name, one in best.items()}
    for place, optimizer in enumerate(optimizers):
        for number, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"{_MOMENTS}{place}.{number}.{name}": one for name, one in moments.items()}
    run.mkdir(parents=True, exist_ok=True)
    contiguous = {name: one.detach().cpu().contiguous() for name, one in tensors.items()}
    with replacing(run / CHECKPOINT) as file:
        file.write(save(contiguous, {"facts": json.dumps(facts)}))


def read_facts(run: Path) -> dict[str, Any] | None:
    """Return what the checkpoint in ``run`` was saved with; None where there is none."""
    if not (run / CHECKPOINT).is_file():
        return None
    with safe_open(run / CHECKPOINT, framework="pt") as file:
        facts: dict[str, Any] = json.loads(file.metadata()["facts"])
        return facts


def load_checkpoint(
    run: Path, network: Any, optimizers: Sequence[torch.optim.Optimizer]
) -> dict[str, torch.Tensor]:
    """Put the state in ``run`` into all; returns the best weights so far."""
    with safe_open(run / CHECKPOINT, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
    load_weights(network, _under(tensors, _WEIGHTS))
    for place, optimizer in enumerate(optimizers):
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in _under(tensors, f"{_MOMENTS}{place}.").items():
            number, _, moment = name.partition(".")
            state.setdefault(int(number), {})[moment] = tensor
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return _under(tensors, _BEST)


def copy_weights(network: Any) -> dict[str, torch.Tensor]:
    """Return a copy of the network's parameters by name, a shared one once."""
    return {name: one.detach().clone() for name, one in _parameters(network).items()}


@torch.no_grad()
def load_weights(network: Any, weights: dict[str, torch.Tensor]) -> None:
    """Put what :func:`copy_weights` returned into the network."""
    for name, parameter in _parameters(network).items():
        parameter.copy_(weights[name])


def _parameters(network: Any) -> dict[str, torch.Tensor]:
    return dict(network.named_parameters())


def _under(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)
    }
