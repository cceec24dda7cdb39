"""From texts to vectors: by an encoder or by n-grams, as the language asks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from lepton_tasks.nlp.base import ModelInput
from workers.engines.encoder import SentenceEncoder
from workers.engines.folder import ModelFolder
from workers.engines.packed import TokenIds
from workers.engines.trunk import States
from workers.errors import ModelRefused
from workers.features.ngram_vectors import NgramVectors, Vectors
from workers.features.ngrams import NgramSpec

Pooling = Literal["mean", "cls"]
POOLINGS: Final[tuple[Pooling, ...]] = ("mean", "cls")
_NO_IDS: Final = np.zeros(0, dtype=np.int32)
_WEIGHTS: Final = "ngrams.weights"


@dataclass(frozen=True, slots=True)
class PlacedText:
    """A text and the space it is in.

    ``ids`` are for the encoder, empty in a space of n-grams, whose ``vector`` is there already.
    ``truncated`` says that the encoder sees only the beginning of the text.
    """

    space: str
    ids: TokenIds
    vector: npt.NDArray[np.float32] | None
    truncated: bool


class Spaces:
    """The spaces of a model: an encoder's, that of n-grams, or both.

    Languages in ``encoded`` are the encoder's, all others the n-grams'; None stands for
    all languages. An encoder pools by the mean of all tokens or by the first one.
    """

    def __init__(
        self,
        encoder: SentenceEncoder | None,
        pooling: Pooling,
        encoded: Collection[str] | None,
        ngrams: NgramVectors | None,
        revision: str,
    ) -> None:
        """``revision`` is that of the n-grams' weights."""
        self.encoder = encoder
        self.pooling = pooling
        self._encoded = encoded
        self._ngrams = ngrams
        self._ngram_space = f"ngrams@{revision}"
        self._encoder_space = ""
        if encoder is not None:
            self._encoder_space = f"encoder-{pooling}@{encoder.lane.key.revision}"

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield all weights, the encoder's included."""
        if self.encoder is not None:
            yield from self.encoder.tensors()
        if self._ngrams is not None:
            yield torch.from_numpy(self._ngrams.weights)

    def place(self, texts: Sequence[ModelInput]) -> list[PlacedText]:
        """Tokenise or hash every text, in order; equal texts once."""
        distinct = list(dict.fromkeys((one.text, self._is_encoded(one.language)) for one in texts))
        placed: dict[tuple[str, bool], PlacedText] = {}
        encoded = [key for key in distinct if key[1]]
        if self.encoder is not None and encoded:
            cut = self.encoder.tokenize_noting_cuts([text for text, _ in encoded])
            for key, (ids, truncated) in zip(encoded, cut, strict=True):
                placed[key] = PlacedText(self._encoder_space, ids, None, truncated)
        hashed = [key for key in distinct if not key[1]]
        if self._ngrams is not None and hashed:
            for key, vector in zip(hashed, self._ngrams([text for text, _ in hashed]), strict=True):
                placed[key] = PlacedText(self._ngram_space, _NO_IDS, vector, False)
        return [placed[one.text, self._is_encoded(one.language)] for one in texts]

    def pooled(self, states: States) -> torch.Tensor:
        """One float32 vector of norm 1 for each text of the encoder's states."""
        if self.pooling == "mean":
            return states.vectors
        return functional.normalize(states.hidden.index_select(0, states.starts).float(), dim=1)

    def is_encoders(self, space: str) -> bool:
        """Whether vectors of ``space`` come from the encoder."""
        return space == self._encoder_space

    def _is_encoded(self, language: str) -> bool:
        if self._ngrams is None or self.encoder is None:
            return self.encoder is not None
        return self._encoded is None or language in self._encoded


def read_spaces(
    folder: ModelFolder | None, encoder: SentenceEncoder | None, pooling: object
) -> Spaces:
    """Put the spaces of a model together; without a folder all languages are the encoder's.

    Raises:
        ModelRefused: there is neither, the pooling is unknown, or config and tensors disagree.
    """
    if pooling not in POOLINGS:
        raise ModelRefused(f"unknown pooling {pooling!r}; use one of {', '.join(POOLINGS)}")
    if folder is None:
        if encoder is None:
            raise ModelRefused(
                "a model of vectors needs a folder with n-grams, an encoder, or both"
            )
        return Spaces(encoder, pooling, None, None, "")
    ngrams = _read_ngrams(folder)
    languages = folder.config.get("encoder_languages", [])
    if not isinstance(languages, list):
        raise ModelRefused(f"{folder.path}: encoder_languages must be a list of languages")
    if languages and encoder is None:
        raise ModelRefused(f"{folder.path} needs an encoder, and the catalogue names none")
    return Spaces(encoder, pooling, frozenset(languages), ngrams, folder.revision)


def _read_ngrams(folder: ModelFolder) -> NgramVectors:
    try:
        config: Mapping[str, Any] = folder.config["ngrams"]
        (from_characters, to_characters), (from_words, to_words) = (
            config["characters"],
            config["words"],
        )
        spec = NgramSpec(
            int(config["buckets"]),
            (int(from_characters), int(to_characters)),
            (int(from_words), int(to_words)),
        )
        weights = folder.tensors[_WEIGHTS]
        return NgramVectors(spec, int(config["width"]), _dequantised(weights))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelRefused(f"{folder.path}: config and tensors do not fit: {error!r}") from error


def _dequantised(weights: torch.Tensor) -> Vectors:
    """Float weights as they are; bytes as steps of 1/255."""
    if weights.dtype == torch.uint8:
        return (weights.float() / 255).numpy()
    return weights.float().numpy()
