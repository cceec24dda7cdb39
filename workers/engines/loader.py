"""From a task's name to a warm engine, by way of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, TypeGuard

import torch

from lepton_tasks.nlp.registry import get_task
from workers.catalogue.entries import CatalogueEntry, choose
from workers.engines.answer_finder import build_answer_finder
from workers.engines.base import Engine, SimpleEngine
from workers.engines.encoder import SentenceEncoder, package_folder
from workers.engines.explainer import build_explainer
from workers.engines.folder import read_folder, weights_header
from workers.engines.lanes import SoloEngine
from workers.engines.sentence_picker import build_sentence_picker
from workers.engines.text_classifier import build_text_classifier
from workers.engines.trunks import Trunks
from workers.engines.vector_engines import VECTOR_ENGINES, build_vector_engine
from workers.engines.zero_shot import ZeroShot
from workers.errors import CatalogueError

Builder = Callable[[CatalogueEntry, torch.device], Engine | SimpleEngine]
"""Makes an engine of a catalogue entry, on a device."""

ENTRY_POINTS: Final = "lepton_tasks.engines"
"""Entry point group in which other packages name their Builders."""


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
    is fetched from a network. Raises CatalogueError where no entry fits and
    ModelRefused where the folder is incomplete, inconsistent or unsafe.
    """
    entry = choose(catalogue, task_name, model)
    place = torch_device(device or entry.device)
    engine = _builder(entry, trunks or Trunks())(entry, place)
    return engine if _has_lane(engine) else SoloEngine(engine, place, entry.dtype)


def expected_bytes(entry: CatalogueEntry, device: str | None, trunks: Trunks) -> int:
    """Bytes of weights that loading ``entry`` adds to what ``trunks`` holds, as far as known.

    Read from the headers of its files; 0 for an engine without such files. Raises
    ModelRefused for a header that cannot be read.
    """
    expected = 0
    dtype: torch.dtype = getattr(torch, entry.dtype)
    encoder = _encoder_folder(entry)
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


def _builder(entry: CatalogueEntry, trunks: Trunks) -> Builder:
    own: dict[str, Builder] = {
        "sequence-classification": _sequence_classification,
        "nli-zero-shot": _nli_zero_shot,
        "sentence-embedding": _sentence_embedding,
        "text-classifier": partial(_text_classifier, trunks),
        **{name: partial(_vector_engine, trunks) for name in VECTOR_ENGINES},
        "explainer": partial(_explainer, trunks),
        "zero-shot": partial(_zero_shot, trunks),
        "decoder": _decoder,
        "encoder-decoder": _encoder_decoder,
        "sentence-picker": _sentence_picker,
        "answer-finder": partial(_answer_finder, trunks),
        "extractive-qa": _extractive_qa,
        "patterns": _patterns,
        "tagger": _tagger,
    }
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


def _sequence_classification(entry: CatalogueEntry, device: torch.device) -> SimpleEngine:
    from workers.engines.sequence_classification import (  # imports transformers
        build_sequence_classifier,
    )

    return build_sequence_classifier(entry, _labels(entry), device)


def _nli_zero_shot(entry: CatalogueEntry, device: torch.device) -> SimpleEngine:
    from workers.engines.nli_zero_shot import build_zero_shot  # imports transformers

    return build_zero_shot(entry, device)


def _sentence_embedding(entry: CatalogueEntry, device: torch.device) -> SimpleEngine:
    from workers.engines.sentence_embedding import build_sentence_embedder  # imports transformers

    return build_sentence_embedder(entry, device)


def _decoder(entry: CatalogueEntry, device: torch.device) -> Engine:
    from workers.generation.engine import build_decoder  # imports transformers

    return build_decoder(entry, device)


def _encoder_decoder(entry: CatalogueEntry, device: torch.device) -> SimpleEngine:
    from workers.engines.seq2seq import build_seq2seq  # imports transformers

    return build_seq2seq(entry, device)


def _sentence_picker(entry: CatalogueEntry, device: torch.device) -> SimpleEngine:
    return build_sentence_picker(entry.name, read_folder(entry.model_folder))


def _extractive_qa(entry: CatalogueEntry, device: torch.device) -> SimpleEngine:
    from workers.engines.extractive_qa import build_extractive_qa  # imports transformers

    return build_extractive_qa(entry, device)


def _answer_finder(trunks: Trunks, entry: CatalogueEntry, device: torch.device) -> Engine:
    from workers.features.han import simplified_characters  # imports opencc

    folder = read_folder(entry.model_folder)
    encoder = _encoder(trunks, entry, device)
    lane = trunks.headless(device) if encoder is None else encoder.lane
    return build_answer_finder(entry.name, folder, simplified_characters(), encoder, lane)


def _patterns(entry: CatalogueEntry, device: torch.device) -> SimpleEngine:
    from workers.engines.patterns import Patterns  # imports phonenumbers

    return Patterns(entry.name)


def _tagger(entry: CatalogueEntry, device: torch.device) -> SimpleEngine:
    from workers.engines.tagger import build_tagger

    return build_tagger(entry.name, read_folder(entry.model_folder))


def _explainer(trunks: Trunks, entry: CatalogueEntry, device: torch.device) -> Engine:
    return build_explainer(entry, lambda own: _builder(own, trunks)(own, device))


def _text_classifier(trunks: Trunks, entry: CatalogueEntry, device: torch.device) -> Engine:
    folder = read_folder(entry.model_folder)
    encoder = _encoder(trunks, entry, device)
    lane = trunks.headless(device) if encoder is None else encoder.lane
    return build_text_classifier(entry.name, folder, _labels(entry), encoder, lane)


def _labels(entry: CatalogueEntry) -> Sequence[str] | None:
    """The labels of the entry's task, None where it takes any."""
    labels: Sequence[str] | None = getattr(get_task(entry.task), "labels", None)
    return labels


def _vector_engine(trunks: Trunks, entry: CatalogueEntry, device: torch.device) -> Engine:
    folder = None if entry.folder is None else read_folder(entry.folder)
    encoder = _encoder(trunks, entry, device)
    lane = trunks.headless(device) if encoder is None else encoder.lane
    return build_vector_engine(entry, folder, encoder, lane)


def _encoder(trunks: Trunks, entry: CatalogueEntry, device: torch.device) -> SentenceEncoder | None:
    folder = _encoder_folder(entry)
    if folder is None:
        return None
    return trunks.encoder(folder, entry.max_tokens, device, getattr(torch, entry.dtype))


def _zero_shot(trunks: Trunks, entry: CatalogueEntry, device: torch.device) -> Engine:
    encoder = _encoder(trunks, entry, device)
    if encoder is None:
        raise CatalogueError(f"[{entry.name}] needs an encoder_package or an encoder_folder")
    return ZeroShot(entry.name, encoder)


def _encoder_folder(entry: CatalogueEntry) -> Path | None:
    if entry.encoder_package is not None:
        return package_folder(entry.encoder_package)
    return entry.encoder_folder
