"""From a catalogue entry to a generator that is ready to start."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch

from workers.catalogue.entries import CatalogueEntry
from workers.generation.batch import Turn
from workers.generation.generator import Generator
from workers.generation.limits import read_limits
from workers.generation.model import load_decoder


def build_generator(
    entry: CatalogueEntry,
    device: torch.device,
    may_step: Callable[[], bool] = lambda: True,
    turn: Turn = nullcontext,
) -> Generator:
    """Load the model of ``entry`` onto ``device``; see Generator for the rest.

    Raises:
        CatalogueError: the entry's options are wrong.
        ModelRefused: its folder is incomplete or unsafe, or the model cannot be batched.
    """
    limits = read_limits(entry)
    model = load_decoder(
        entry.name, entry.model_folder, device, getattr(torch, entry.dtype), limits
    )
    return Generator(model, limits, may_step, turn)
