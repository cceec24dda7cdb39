"""A training that was cut off goes on where it was: everything in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open
from safetensors.torch import save

from workers.training.decoder.files import replacing

CHECKPOINT: Final = "checkpoint.safetensors"
_WEIGHTS, _BEST, _MOMENTS = "weights.", "best.", "moments."

Tensors = Mapping[str, torch.Tensor]


def gather(
    network: Any, optimizers: Sequence[torch.optim.Optimizer], best: Tensors
) -> dict[str, torch.Tensor]:
    """The network, the optimizers' moments and the best weights so far, by name."""
    tensors = {f"{_WEIGHTS}{name}": one for name, one in _parameters(network).items()}
    tensors |= {f"{_BEST}{name}": one for name, one in best.items()}
    for place, optimizer in enumerate(optimizers):
        for number, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"{_MOMENTS}{place}.{number}.{name}": one for name, one in moments.items()}
    return {name: one.detach().cpu().contiguous() for name, one in tensors.items()}


def put_back(
    tensors: Tensors, network: Any, optimizers: Sequence[torch.optim.Optimizer]
) -> dict[str, torch.Tensor]:
    """Put what :func:`gather` returned into all; returns the best weights so far."""
    load_weights(network, _under(tensors, _WEIGHTS))
    for place, optimizer in enumerate(optimizers):
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in _under(tensors, f"{_MOMENTS}{place}.").items():
            number, _, moment = name.partition(".")
            state.setdefault(int(number), {})[moment] = tensor
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return _under(tensors, _BEST)


def save_checkpoint(run: Path, facts: Mapping[str, Any], tensors: Tensors) -> None:
    """Write a checkpoint in the folder ``run``, in the place of the one before."""
    run.mkdir(parents=True, exist_ok=True)
    with replacing(run / CHECKPOINT) as file:
        file.write(save(dict(tensors), {"facts": json.dumps(dict(facts))}))


def read_facts(run: Path) -> dict[str, Any] | None:
    """Return what the checkpoint in ``run`` was saved with; None where there is none."""
    if not (run / CHECKPOINT).is_file():
        return None
    with safe_open(run / CHECKPOINT, framework="pt") as file:
        facts: dict[str, Any] = json.loads(file.metadata()["facts"])
        return facts


def read_tensors(run: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of the checkpoint in ``run``."""
    with safe_open(run / CHECKPOINT, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict


def copy_weights(network: Any) -> dict[str, torch.Tensor]:
    """Return a copy of the network's parameters by name, a shared one once."""
    return {name: one.detach().clone() for name, one in _parameters(network).items()}


@torch.no_grad()
def load_weights(network: Any, weights: Tensors) -> None:
    """Put what :func:`copy_weights` returned into the network."""
    for name, parameter in _parameters(network).items():
        parameter.copy_(weights[name])


def _parameters(network: Any) -> dict[str, torch.Tensor]:
    return dict(network.named_parameters())


def _under(tensors: Tensors, prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)
    }
