"""From a task's name to a warm engine, by way of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeGuard

import torch

from workers.catalogue.entries import CatalogueEntry, choose
from workers.engines.base import Engine, SimpleEngine
from workers.engines.builders import builder_of, encoder_folder
from workers.engines.folder import weights_header
from workers.engines.lanes import SoloEngine
from workers.engines.trunks import Trunks
from workers.errors import CatalogueError, ModelRefused


def load_engine(
    task_name: str,
    catalogue: Mapping[str, CatalogueEntry],
    device: str | None = None,
    model: str | None = None,
    trunks: Trunks | None = None,
) -> Engine:
    """Load the model that ``catalogue`` names for ``task_name``.

    ``device`` ("cpu", "cuda", "cuda:1") overrides the catalogue's; ``model`` takes
    another than the task's default; encoders that ``trunks`` holds are shared. Nothing
    is fetched from a network. The revision of a version is its name. Raises CatalogueError
    where no entry fits and ModelRefused where the folder is incomplete, inconsistent or unsafe.
    """
    entry = choose(catalogue, task_name, model)
    place = torch_device(device or entry.device)
    found = builder_of(entry, trunks or Trunks())(entry, place)
    engine = found if _has_lane(found) else SoloEngine(found, place, entry.dtype)
    if entry.version:
        # Answers name the version; its lane's key, and so its tuning, that of the content.
        try:
            engine.revision = entry.version
        except AttributeError as error:
            raise ModelRefused(
                f"[{entry.name}] the engine {entry.engine} has a revision that cannot be set, so "
                "it cannot run versions"
            ) from error
    return engine


def expected_bytes(entry: CatalogueEntry, device: str | None, trunks: Trunks) -> int:
    """Bytes of weights that loading ``entry`` adds to what ``trunks`` holds, as far as known.

    Read from the headers of its files; 0 for an engine without such files. Raises
    ModelRefused for a header that cannot be read.
    """
    expected = 0
    dtype: torch.dtype = getattr(torch, entry.dtype)
    encoder = encoder_folder(entry)
    if entry.folder is not None:
        # Heads over an encoder are float32, whatever it runs in.
        own = dtype if encoder is None else torch.float32
        expected += _elements(entry.folder) * own.itemsize
    if encoder is not None and not trunks.holds(
        encoder, torch_device(device or entry.device), dtype
    ):
        expected += _elements(encoder) * dtype.itemsize
    return expected


def torch_device(name: str) -> torch.device:
    """Device of that name; ``auto`` is CUDA where there is one.

    Raises CatalogueError for a name that is none, or CUDA where there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise CatalogueError(f"{name!r} is no device; use auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise CatalogueError(f"the device {name!r} was asked for, but there is no CUDA here")
    return device


def _elements(folder: Path) -> int:
    return sum(weights_header(file).elements for file in folder.glob("*.safetensors"))


def _has_lane(engine: Engine | SimpleEngine) -> TypeGuard[Engine]:
    return hasattr(engine, "lane")
