"""What turns gradients into steps: Muon for the matrices inside, AdamW for the rest."""

from __future__ import annotations

from typing import Any, Final

import torch

_BETAS: Final = (0.9, 0.95)
_MOMENTUM: Final = 0.95


def make_optimizers(network: Any, rate: float, decay: float) -> list[torch.optim.Optimizer]:
    """Return both, for a network of transformers.

    The embedding and what is no matrix go to AdamW, and what is no matrix does not decay. Muon's
    steps are scaled to the size of AdamW's (https://arxiv.org/abs/2502.16982), so that ``rate``
    and ``decay`` are the same for both.
    """
    embedding = network.get_input_embeddings().weight
    inside = [one for one in network.parameters() if one.dim() == 2 and one is not embedding]
    small = [one for one in network.parameters() if one.dim() != 2]
    rest: list[dict[str, Any]] = [{"params": [embedding]}, {"params": small, "weight_decay": 0.0}]
    return [
        torch.optim.Muon(
            inside,
            lr=rate,
            weight_decay=decay,
            momentum=_MOMENTUM,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(rest, lr=rate, betas=_BETAS, weight_decay=decay),
    ]
