"""The encoder of a default model, and its vectors of many texts, kept in a file between runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from workers.catalogue.entries import DEFAULT_CATALOGUE, choose, read_catalogue
from workers.engines.encoder import SentenceEncoder, package_folder
from workers.engines.trunks import Trunks
from workers.errors import CatalogueError
from workers.training.linear import Vectors

_PADDED_TOKENS = 1024
Report = Callable[[int, int], None]


def default_encoder(task: str) -> SentenceEncoder:
    """The encoder that the default catalogue names for ``task``, on the CPU."""
    entry = choose(read_catalogue(DEFAULT_CATALOGUE), task, None)
    if entry.encoder_package is None:
        raise CatalogueError(f"the default model of {task} names no encoder_package")
    folder = package_folder(entry.encoder_package)
    return Trunks().encoder(folder, entry.max_tokens, torch.device("cpu"), torch.float32)


def encode_all(
    encoder: SentenceEncoder, texts: Sequence[str], cache: Path | None, report: Report
) -> Vectors:
    """Vectors [texts, width], in order. ``report(done, total)`` is called as it goes.

    With ``cache``, vectors found in that ``.npz`` file are taken from it and new
    ones are added; texts are known there by their hash alone.
    """
    keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    known = _read(cache)
    todo = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    order = sorted(
        zip(todo, encoder.tokenize(list(todo.values())), strict=True), key=lambda one: len(one[1])
    )
    done = 0
    while done < len(order):
        longest = len(order[min(done + 63, len(order) - 1)][1])
        batch = order[done : done + max(1, _PADDED_TOKENS // longest)]
        vectors = encoder.forward([ids for _, ids in batch]).cpu().numpy()
        known.update(zip((key for key, _ in batch), vectors, strict=True))
        done += len(batch)
        report(done, len(order))
    if cache is not None and todo:
        np.savez(cache, keys=np.array(list(known)), vectors=np.stack(list(known.values())))
    return np.stack([known[key] for key in keys]).astype(np.float32)


def _read(cache: Path | None) -> dict[str, Vectors]:
    if cache is None or not cache.is_file():
        return {}
    with np.load(cache, allow_pickle=False) as stored:
        return dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))
