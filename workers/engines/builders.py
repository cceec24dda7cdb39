"""Which function makes which engine of a catalogue entry.

What needs transformers, or another library that takes long to import, is imported by the
engine that asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, TypeAlias

import torch

from lepton_tasks.nlp.registry import get_task
from workers.catalogue.entries import CatalogueEntry
from workers.engines.answer_finder import build_answer_finder
from workers.engines.base import Engine, SimpleEngine
from workers.engines.encoder import SentenceEncoder, package_folder
from workers.engines.explainer import build_explainer
from workers.engines.folder import read_folder
from workers.engines.sentence_picker import build_sentence_picker
from workers.engines.text_classifier import build_text_classifier
from workers.engines.trunks import Trunks
from workers.engines.vector_engines import VECTOR_ENGINES, build_vector_engine
from workers.engines.zero_shot import ZeroShot
from workers.errors import CatalogueError

Builder: TypeAlias = Callable[[CatalogueEntry, torch.device], Engine | SimpleEngine]
"""Makes an engine of a catalogue entry, on a device."""
_OwnBuilder: TypeAlias = Callable[[CatalogueEntry, torch.device, Trunks], Engine | SimpleEngine]

ENTRY_POINTS: Final = "lepton_tasks.engines"
"""Entry point group in which other packages name their Builders."""


def builder_of(entry: CatalogueEntry, trunks: Trunks) -> Builder:
    """Return what makes the engine that ``entry`` names, sharing the encoders of ``trunks``.

    Raises:
        CatalogueError: there is no such engine, or its package cannot be loaded.
    """
    if entry.engine in _OWN:
        own = _OWN[entry.engine]
        return lambda one, device: own(one, device, trunks)
    foreign = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if entry.engine not in foreign:
        raise CatalogueError(
            f"[{entry.name}] names the engine {entry.engine!r}; "
            f"the engines are {', '.join(sorted({*_OWN, *foreign}))}"
        )
    try:
        builder: Builder = foreign[entry.engine].load()
    except (ImportError, AttributeError) as error:
        raise CatalogueError(
            f"the entry point of the engine {entry.engine!r} cannot be loaded: {error}"
        ) from error
    return builder


def _hub_classifier(entry: CatalogueEntry, device: torch.device, _: Trunks) -> SimpleEngine:
    from workers.engines.sequence_classification import (  # imports transformers
        build_sequence_classifier,
    )

    return build_sequence_classifier(entry, _labels(entry), device)


def _nli_zero_shot(entry: CatalogueEntry, device: torch.device, _: Trunks) -> SimpleEngine:
    from workers.engines.nli_zero_shot import build_zero_shot  # imports transformers

    return build_zero_shot(entry, device)


def _sentence_embedding(entry: CatalogueEntry, device: torch.device, _: Trunks) -> SimpleEngine:
    from workers.engines.sentence_embedding import build_sentence_embedder  # imports transformers

    return build_sentence_embedder(entry, device)


def _decoder(entry: CatalogueEntry, device: torch.device, _: Trunks) -> Engine:
    from workers.generation.engine import build_decoder  # imports transformers

    return build_decoder(entry, device)


def _encoder_decoder(entry: CatalogueEntry, device: torch.device, _: Trunks) -> SimpleEngine:
    from workers.engines.seq2seq import build_seq2seq  # imports transformers

    return build_seq2seq(entry, device)


def _upstream(entry: CatalogueEntry, device: torch.device, _: Trunks) -> Engine:
    from workers.upstream.engine import build_upstream  # imports aiohttp

    return build_upstream(entry)


def _translator(entry: CatalogueEntry, device: torch.device, _: Trunks) -> SimpleEngine:
    from workers.engines.translator import build_translator  # imports transformers

    return build_translator(entry, device)


def _sentence_picker(entry: CatalogueEntry, device: torch.device, _: Trunks) -> SimpleEngine:
    return build_sentence_picker(entry.name, read_folder(entry.model_folder))


def _extractive_qa(entry: CatalogueEntry, device: torch.device, _: Trunks) -> SimpleEngine:
    from workers.engines.extractive_qa import build_extractive_qa  # imports transformers

    return build_extractive_qa(entry, device)


def _answer_finder(entry: CatalogueEntry, device: torch.device, trunks: Trunks) -> Engine:
    from workers.features.han import simplified_characters  # imports opencc

    folder = read_folder(entry.model_folder)
    encoder = _encoder(entry, device, trunks)
    lane = trunks.headless(device) if encoder is None else encoder.lane
    return build_answer_finder(entry.name, folder, simplified_characters(), encoder, lane)


def _patterns(entry: CatalogueEntry, device: torch.device, _: Trunks) -> SimpleEngine:
    from workers.engines.patterns import Patterns  # imports phonenumbers

    return Patterns(entry.name)


def _retrieval_chat(entry: CatalogueEntry, device: torch.device, _: Trunks) -> SimpleEngine:
    from workers.engines.retrieval_chat import build_retrieval_chat

    return build_retrieval_chat(entry.name, read_folder(entry.model_folder))


def _tagger(entry: CatalogueEntry, device: torch.device, _: Trunks) -> SimpleEngine:
    from workers.engines.tagger import build_tagger

    return build_tagger(entry.name, read_folder(entry.model_folder))


def _editor(entry: CatalogueEntry, device: torch.device, _: Trunks) -> SimpleEngine:
    from workers.engines.editor import build_editor

    return build_editor(entry.name, read_folder(entry.model_folder))


def _explainer(entry: CatalogueEntry, device: torch.device, trunks: Trunks) -> Engine:
    return build_explainer(entry, lambda own: builder_of(own, trunks)(own, device))


def _text_classifier(entry: CatalogueEntry, device: torch.device, trunks: Trunks) -> Engine:
    folder = read_folder(entry.model_folder)
    encoder = _encoder(entry, device, trunks)
    lane = trunks.headless(device) if encoder is None else encoder.lane
    return build_text_classifier(entry.name, folder, _labels(entry), encoder, lane)


def _labels(entry: CatalogueEntry) -> Sequence[str] | None:
    """The labels of the entry's task, None where it takes any."""
    labels: Sequence[str] | None = getattr(get_task(entry.task), "labels", None)
    return labels


def _vector_engine(entry: CatalogueEntry, device: torch.device, trunks: Trunks) -> Engine:
    folder = None if entry.folder is None else read_folder(entry.folder)
    encoder = _encoder(entry, device, trunks)
    lane = trunks.headless(device) if encoder is None else encoder.lane
    return build_vector_engine(entry, folder, encoder, lane)


def _encoder(entry: CatalogueEntry, device: torch.device, trunks: Trunks) -> SentenceEncoder | None:
    folder = encoder_folder(entry)
    if folder is None:
        return None
    return trunks.encoder(folder, entry.max_tokens, device, getattr(torch, entry.dtype))


def _zero_shot(entry: CatalogueEntry, device: torch.device, trunks: Trunks) -> Engine:
    encoder = _encoder(entry, device, trunks)
    if encoder is None:
        raise CatalogueError(f"[{entry.name}] needs an encoder_package or an encoder_folder")
    return ZeroShot(entry.name, encoder)


def encoder_folder(entry: CatalogueEntry) -> Path | None:
    """Folder of the encoder that an entry names, None where it names none.

    Raises:
        ModelRefused: its package is not installed, or carries no model.
    """
    if entry.encoder_package is not None:
        return package_folder(entry.encoder_package)
    return entry.encoder_folder


_OWN: Final[Mapping[str, _OwnBuilder]] = {
    "answer-finder": _answer_finder,
    "decoder": _decoder,
    "editor": _editor,
    "encoder-decoder": _encoder_decoder,
    "explainer": _explainer,
    "extractive-qa": _extractive_qa,
    "nli-zero-shot": _nli_zero_shot,
    "openai-upstream": _upstream,
    "patterns": _patterns,
    "retrieval-chat": _retrieval_chat,
    "sentence-embedding": _sentence_embedding,
    "sentence-picker": _sentence_picker,
    "sequence-classification": _hub_classifier,
    "tagger": _tagger,
    "text-classifier": _text_classifier,
    "translator": _translator,
    "zero-shot": _zero_shot,
    **dict.fromkeys(VECTOR_ENGINES, _vector_engine),
}
