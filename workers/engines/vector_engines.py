"""The engines over vectors by name, and how one is put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from workers.catalogue.entries import CatalogueEntry
from workers.engines.calibration import Likeness, read_likeness
from workers.engines.encoder import SentenceEncoder
from workers.engines.folder import ModelFolder
from workers.engines.recommender import Recommender
from workers.engines.similarity import PairComparer
from workers.engines.spaces import Spaces, read_spaces
from workers.engines.trunk_lane import TrunkLane
from workers.engines.vectors import Embedder, VectorEngine

_Make = Callable[[str, str, Spaces, TrunkLane, Likeness], VectorEngine]

VECTOR_ENGINES: Final[Mapping[str, _Make]] = {
    "embedder": lambda name, revision, spaces, lane, _: Embedder(name, revision, spaces, lane),
    "pair-comparer": PairComparer,
    "recommender": Recommender,
}
"""What ``engine`` in a catalogue may name, to serve embedding, similarity, recommendation."""


def build_vector_engine(
    entry: CatalogueEntry,
    folder: ModelFolder | None,
    encoder: SentenceEncoder | None,
    lane: TrunkLane,
) -> VectorEngine:
    """Put an engine together; ``lane`` is the encoder's, or a headless one.

    The entry's ``options`` may have ``pooling``, of the encoder's tokens: ``mean``, the
    default, or ``cls``. Raises ModelRefused where config and tensors do not fit.
    """
    spaces = read_spaces(folder, encoder, entry.options.get("pooling", "mean"))
    revision = encoder.lane.key.revision if folder is None and encoder is not None else ""
    if folder is not None:
        revision = folder.revision
    return VECTOR_ENGINES[entry.engine](entry.name, revision, spaces, lane, read_likeness(folder))
