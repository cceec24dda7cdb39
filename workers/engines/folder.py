"""A model folder on disk: what must be in it, and how it is read without running anything."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from workers.engines.eight_bits import from_eight_bits
from workers.errors import ModelRefused

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
_REVISION_LENGTH = 12
_LONGEST_HEADER = 100_000_000
"""Bytes; the limit that the safetensors format sets."""


@dataclass(frozen=True)
class ModelFolder:
    """The checked content of a model folder. ``revision`` is a short hash of both files."""

    path: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]
    revision: str


def read_folder(path: Path) -> ModelFolder:
    """Read ``config.json`` and ``model.safetensors``; nothing else in the folder is opened.

    Raises ModelRefused for a missing or broken file, and for a config that asks
    for code of its own (``auto_map``).
    """
    config = read_config(path)
    weights = path / WEIGHTS
    if not weights.is_file():
        raise ModelRefused(
            f"{path} has no {WEIGHTS}; weights are taken as safetensors only, never as pickles"
        )
    try:
        tensors = from_eight_bits(load_file(weights))
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelRefused(f"{weights} cannot be read as safetensors: {error}") from error
    digest = hashlib.sha256((path / CONFIG).read_bytes())
    with weights.open("rb") as file:
        hashlib.file_digest(file, lambda: digest)  # in pieces: the file may be large
    return ModelFolder(path, config, tensors, digest.hexdigest()[:_REVISION_LENGTH])


@dataclass(frozen=True)
class WeightsHeader:
    """What a safetensors file holds, without its weights: ``shapes`` by tensor name."""

    raw: bytes
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def elements(self) -> int:
        """Numbers in the file."""
        return sum(math.prod(shape) for shape in self.shapes.values())


def weights_header(weights: Path) -> WeightsHeader:
    """Read the header of a safetensors file.

    Raises ModelRefused where there is none, or it is none.
    """
    try:
        with weights.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            raw = file.read(length) if length <= _LONGEST_HEADER else b""
        tables = json.loads(raw)
        shapes = {
            name: tuple(table["shape"]) for name, table in tables.items() if name != "__metadata__"
        }
    except FileNotFoundError as error:
        raise ModelRefused(
            f"{weights.parent} has no {weights.name}; weights are taken as safetensors only, "
            "never as pickles"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelRefused(f"{weights} cannot be read as safetensors: {error}") from error
    return WeightsHeader(raw, shapes)


def read_config(path: Path) -> dict[str, Any]:
    """Return ``config.json`` of the folder ``path``.

    Raises ModelRefused where it is missing, is no JSON object or has ``auto_map``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     _ = (Path(name) / "config.json").write_text('{"auto_map": {"AutoModel": "x.Y"}}')
    ...     read_config(Path(name))
    Traceback (most recent call last):
        ...
    workers.errors.ModelRefused: ... which is never allowed
    """
    file = path / CONFIG
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelRefused(f"{path} has no {CONFIG}; it is not a model folder") from error
    except (ValueError, RecursionError) as error:
        raise ModelRefused(f"{file} is not valid JSON: {error}") from error
    if not isinstance(config, dict):
        raise ModelRefused(f"{file} must hold a JSON object")
    if "auto_map" in config:
        raise ModelRefused(
            f"{file} has auto_map: the model wants to run code of its own, which is never allowed"
        )
    return config
