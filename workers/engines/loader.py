"""From a task's name to a warm engine, by way of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Final

import torch

from lepton_tasks.nlp.registry import get_task
from workers.catalogue.entries import CatalogueEntry, choose
from workers.engines.base import Engine
from workers.engines.encoder import SentenceEncoder, package_folder
from workers.engines.folder import read_folder
from workers.engines.text_classifier import build_text_classifier
from workers.errors import CatalogueError

Builder = Callable[[CatalogueEntry, torch.device], Engine]
"""Makes an engine of a catalogue entry, on a device."""

ENTRY_POINTS: Final = "lepton_tasks.engines"
"""Entry point group in which other packages name their Builders."""


def load_engine(
    task_name: str,
    catalogue: Mapping[str, CatalogueEntry],
    device: str | None = None,
    model: str | None = None,
) -> Engine:
    """Load the model that ``catalogue`` names for ``task_name``.

    ``device`` ("cpu", "cuda", "cuda:1") overrides the catalogue's; ``model`` takes
    another than the task's default. Nothing is fetched from a network. Raises
    CatalogueError where no entry fits and ModelRefused where the folder is
    incomplete, inconsistent or unsafe.
    """
    entry = choose(catalogue, task_name, model)
    return _builder(entry)(entry, torch_device(device or entry.device))


def _builder(entry: CatalogueEntry) -> Builder:
    own: dict[str, Builder] = {"text-classifier": _text_classifier}
    if entry.engine in own:
        return own[entry.engine]
    foreign = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if entry.engine not in foreign:
        raise CatalogueError(
            f"[{entry.name}] names the engine {entry.engine!r}; "
            f"the engines are {', '.join(sorted({*own, *foreign}))}"
        )
    try:
        builder: Builder = foreign[entry.engine].load()
    except (ImportError, AttributeError) as error:
        raise CatalogueError(
            f"the entry point of the engine {entry.engine!r} cannot be loaded: {error}"
        ) from error
    return builder


def _text_classifier(entry: CatalogueEntry, device: torch.device) -> Engine:
    folder = read_folder(entry.model_folder)
    encoder = None
    if entry.encoder_package is not None:
        encoder = SentenceEncoder(
            package_folder(entry.encoder_package),
            entry.max_tokens,
            device,
            getattr(torch, entry.dtype),
        )
    labels = getattr(get_task(entry.task), "labels", None)
    return build_text_classifier(entry.name, folder, labels, encoder, device)


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
