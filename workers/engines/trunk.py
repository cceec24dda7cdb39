"""Encoders without their heads: what they compute and how they are loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch.nn import functional

from workers.engines.bert import Bert, is_bert
from workers.engines.branches import Fork
from workers.engines.folder import CONFIG, WEIGHTS, read_config, weights_header
from workers.engines.packed import Packed
from workers.errors import ModelRefused

_REVISION_LENGTH = 12
_PREFIXES = ("", "bert.", "roberta.")


class Architecture(Protocol):
    """A transformer encoder over packed tokens.

    ``vocabulary`` is the number of token ids it knows, ``most_tokens`` its longest text.
    """

    width: int
    vocabulary: int
    most_tokens: int

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield all weights and buffers."""
        ...

    def __call__(self, batch: Packed) -> torch.Tensor:
        """Return hidden states [tokens, width] for a batch on the device of the weights."""
        ...


@dataclass(frozen=True)
class States:
    """What a trunk found: ``hidden`` [tokens, width] of texts that begin at ``starts`` [texts]."""

    hidden: torch.Tensor
    starts: torch.Tensor

    @cached_property
    def vectors(self) -> torch.Tensor:
        """Mean of each text's hidden states, of Euclidean norm 1: float32 [texts, width]."""
        rows = torch.arange(len(self.hidden), device=self.hidden.device)
        # A bag of consecutive rows is a text: a sum by segments that waits for nothing.
        means = functional.embedding_bag(rows, self.hidden.float(), self.starts, mode="mean")
        return functional.normalize(means, dim=1)


class Trunk:
    """One loaded copy of an encoder, on its device."""

    def __init__(
        self, architecture: Architecture, revision: str, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.architecture = architecture
        self.revision = revision
        self.device = device
        self.dtype = dtype

    @torch.inference_mode()
    def __call__(self, batch: Packed) -> States:
        """Run a batch from host memory; nothing is waited for on a GPU."""
        moved = batch.to(self.device)
        return States(self.architecture(moved), moved.starts)

    @torch.inference_mode()
    def forked(self, batch: Fork) -> list[States]:
        """Run a batch whose texts take different upper layers; states of each branch.

        The layers that all branches share run once, over all texts.
        """
        bert = self.architecture
        if not isinstance(bert, Bert):
            raise TypeError("only a Bert has upper layers to choose from")
        branches = [branch.to(self.device) for branch in batch.branches]
        shared = min(branch.top.first for branch in branches if branch.top is not None)
        whole = batch.whole.to(self.device)
        hidden = bert.through(bert.layers[:shared], bert.embed(whole), whole)
        found = []
        for branch in branches:
            layers = bert.layers if branch.top is None else branch.top.layers
            own = hidden if branch.tokens is None else hidden.index_select(0, branch.tokens)
            own = bert.through(layers[shared:], own, branch.batch)
            found.append(States(own, branch.batch.starts))
        return found


def load_trunk(folder: Path, device: torch.device, dtype: torch.dtype) -> Trunk:
    """Load a copy of its own of the encoder in ``folder``, never running code from there.

    On a CPU, weights that are stored in ``dtype`` stay mapped from the file, so several
    processes share the memory; the file must not be overwritten in place.

    Raises:
        ModelRefused: the folder is incomplete, inconsistent or unsafe.
    """
    config = read_config(folder)
    header = weights_header(folder / WEIGHTS)
    digest = hashlib.sha256((folder / CONFIG).read_bytes() + header.raw)
    revision = digest.hexdigest()[:_REVISION_LENGTH]
    if not is_bert(config):
        # Imported for these alone: it costs a second and 150 MB.
        from workers.engines.auto_trunk import AutoTrunk

        return Trunk(AutoTrunk(folder, device, dtype), revision, device, dtype)
    found = [one for one in _PREFIXES if f"{one}embeddings.word_embeddings.weight" in header.shapes]
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            prefix = found[0] if found else ""
            read = partial(_read, file.get_tensor, prefix, device, dtype)
            return Trunk(Bert(config, read), revision, device, dtype)
    except SafetensorError as error:
        raise ModelRefused(f"{folder / WEIGHTS} does not fit its config.json: {error}") from error


def _read(
    get: Callable[[str], torch.Tensor],
    prefix: str,
    device: torch.device,
    dtype: torch.dtype,
    name: str,
) -> torch.Tensor:
    return get(prefix + name).to(device, dtype)
