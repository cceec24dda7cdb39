"""What is on disk for a catalogue entry, looked at without loading it into an engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from lepton_tasks.errors import LeptonError
from lepton_tasks.nlp.chat import Chat
from lepton_tasks.nlp.registry import AnyTask
from workers.catalogue.entries import CatalogueEntry
from workers.catalogue.lock import Pin
from workers.engines.encoder import package_folder
from workers.engines.folder import WEIGHTS, read_config, weights_header
from workers.engines.labels import Activation, map_labels
from workers.errors import ModelRefused
from workers.generation.chat_template import read_chat_template
from workers.upstream.kinds import kind_of
from workers.upstream.options import read_upstream

_CODE: Final = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack"})
_MARIAN_FILES: Final = ("source.spm", "target.spm", "vocab.json")
_INDEX: Final = "model.safetensors.index.json"
_READ_TOKENIZER: Final = frozenset(
    {
        "sequence-classification",
        "nli-zero-shot",
        "sentence-embedding",
        "extractive-qa",
        "decoder",
        "encoder-decoder",
        "translator",
    }
)
"""Engines that read ``tokenizer.json`` beside the weights, wherever these come from."""


def faults(entry: CatalogueEntry, task: AnyTask | None, pin: Pin | None) -> Iterator[str]:
    """Yield what is wrong with an entry's files; nothing where all is well.

    Headers are read, weights are not; with a ``pin`` all of its files are, for their hash.
    ``task`` is the entry's, None where there is none of its name.
    """
    if task is None:
        yield f"the catalogue's task {entry.task!r} does not exist"
    try:
        if entry.engine == "openai-upstream":
            kind_of(entry)
            read_upstream(entry)
        if entry.encoder_package is not None:
            weights_header(package_folder(entry.encoder_package) / WEIGHTS)
        if entry.encoder_folder is not None:
            yield from folder_faults(entry.encoder_folder, needs_tokenizer=True)
        if entry.folder is None and entry.hub is None:
            return  # an engine without weights
        folder = entry.model_folder
        reads_tokenizer = entry.hub is not None or entry.engine in _READ_TOKENIZER
        yield from folder_faults(folder, needs_tokenizer=reads_tokenizer)
        if entry.engine == "decoder" and entry.task == Chat.name:
            read_chat_template(folder)
        if task is not None:
            _check_labels(entry, task, read_config(folder))
    except LeptonError as error:
        yield str(error)
        return
    if pin is not None and entry.hub is not None and pin.revision == entry.revision:
        yield from changed_files(folder, pin)


def folder_faults(folder: Path, *, needs_tokenizer: bool) -> Iterator[str]:
    """Yield what is wrong with a model folder: its config, its weights, and what else is there."""
    try:
        read_config(folder)
        for name in weight_names(folder):
            weights_header(folder / name)
    except ModelRefused as error:
        yield str(error)
    marian = all((folder / name).is_file() for name in _MARIAN_FILES)
    if needs_tokenizer and not (marian or (folder / "tokenizer.json").is_file()):
        yield (
            f"{folder} has no tokenizer.json; make one with `AutoTokenizer.from_pretrained(…)"
            ".save_pretrained(…)` of transformers"
        )
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        if file.suffix in _CODE:
            yield f"{file} may be a pickle: it is never read; remove it"
        elif file.suffix == ".py":
            yield f"{file} is code: it is never run; remove it"


def weight_names(folder: Path) -> list[str]:
    """Names of the safetensors files: one, or the shards of the index."""
    index = folder / _INDEX
    if (folder / WEIGHTS).is_file() or not index.is_file():
        return [WEIGHTS]
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelRefused(f"{index} is no index of shards: {error!r}") from error
    if wrong := [name for name in names if not isinstance(name, str) or Path(name).name != name]:
        raise ModelRefused(f"{index} names {wrong[0]!r}, which is no file of its folder")
    return sorted(names)


def changed_files(folder: Path, pin: Pin) -> Iterator[str]:
    """Yield what differs between a folder and the hashes of its pin."""
    for name, wanted in pin.files.items():
        if not (folder / name).is_file():
            yield f"{folder / name} is missing, and the lock file has it"
        elif file_hash(folder / name) != wanted:
            yield f"{folder / name} is not what was pulled: its hash is not that of the lock file"


def file_hash(file: Path) -> str:
    """SHA-256 of a file, read in pieces, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_labels(entry: CatalogueEntry, task: AnyTask, config: Mapping[str, object]) -> None:
    labels: Sequence[str] | None = getattr(task, "labels", None)
    id2label = config.get("id2label")
    if entry.engine == "sequence-classification" and isinstance(id2label, Mapping):
        own = {str(label): int(place) for place, label in id2label.items()}
        one = config.get("problem_type") != "multi_label_classification" and len(own) > 1
        given = entry.options.get("scores", "softmax" if one else "sigmoid")
        scores: Activation = "sigmoid" if given == "sigmoid" else "softmax"
        map_labels(entry.name, own, entry.options.get("labels", {}), labels, scores)
    languages = config.get("languages")
    if entry.engine == "text-classifier" and labels is not None and isinstance(languages, Mapping):
        found = {str(label) for part in languages.values() for label in part["labels"]}
        if unknown := sorted(found - set(labels)):
            raise ModelRefused(
                f"{entry.folder}: labels that {task.name} does not know: {', '.join(unknown)}"
            )
