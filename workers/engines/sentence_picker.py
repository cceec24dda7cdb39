"""A linear model over a text's sentences: how likely each is the most telling one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.summarisation import AbstractInput, SentencesInput, other_kind
from workers.engines.base import Encoded, Raw
from workers.engines.folder import ModelFolder
from workers.errors import ModelRefused
from workers.features.sentences import NAMES, sentence_features

_CHARACTERS_PER_TOKEN: Final = 512
"""Characters of a text, of which all work is done while it is encoded, that count as a token."""


class SentencePicker:
    """A SimpleEngine whose raw result is ``scores``: shares of 1, one a sentence, in order.

    A text in a language without weights takes those of ``fallback``.
    """

    tunable = False

    def __init__(
        self,
        name: str,
        revision: str,
        weights: Mapping[str, npt.NDArray[np.float64]],
        fallback: str,
    ) -> None:
        """``weights`` by language are [features], in the order of ``NAMES``."""
        self.name = name
        self.revision = revision
        self._weights = weights
        self._fallback = fallback

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Score every sentence; nothing of a text is left out.

        Raises:
            InvalidInput: an abstractive summary is asked for.
            TypeError: an input is no SentencesInput.
        """
        return [self._encoded(one) for one in inputs]

    def _encoded(self, one: ModelInput) -> Encoded:
        if isinstance(one, AbstractInput):
            raise other_kind("abstractive")
        if not isinstance(one, SentencesInput):
            raise TypeError(f"{self.name} takes SentencesInput, not {type(one).__name__}")
        language = one.language if one.language in self._weights else self._fallback
        features = sentence_features(one.text, one.spans, language)
        logits = features.astype(np.float64) @ self._weights[language]
        return Encoded(1 + len(one.text) // _CHARACTERS_PER_TOKEN, logits)

    def forward(self, batch: Sequence[Encoded]) -> list[Raw]:
        """Softmax over each text's sentences."""
        return [{"scores": softmax(one.tokens).tolist()} for one in batch]


def softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Shares of 1 that grow with ``logits``; none of none.

    >>> softmax(np.array([0.0, 0.0])).tolist(), softmax(np.zeros(0)).tolist()
    ([0.5, 0.5], [])
    """
    odds = np.exp(logits - logits.max(initial=-np.inf))
    shares: npt.NDArray[np.float64] = odds / odds.sum()
    return shares


def build_sentence_picker(name: str, folder: ModelFolder) -> SentencePicker:
    """Put an engine together from a checked folder.

    Raises ModelRefused where its config names other features than this version computes,
    or weights are missing.
    """
    config = folder.config
    if config.get("features") != list(NAMES):
        raise ModelRefused(
            f"{folder.path}: its weights are for other features than this version computes; "
            "train it again with `python -m workers.training.summarisation`"
        )
    languages = [str(one) for one in config.get("languages", [])]
    fallback = config.get("fallback_language")
    if fallback not in languages:
        raise ModelRefused(
            f"{folder.path}: fallback_language {fallback!r} is not one of the languages {languages}"
        )
    weights = {}
    for language in languages:
        tensor = folder.tensors.get(f"{language}.weights")
        if tensor is None or tuple(tensor.shape) != (len(NAMES),):
            found = "missing" if tensor is None else f"of shape {tuple(tensor.shape)}"
            raise ModelRefused(
                f"{folder.path}: tensor {language}.weights is {found}, "
                f"but the features need ({len(NAMES)},)"
            )
        weights[language] = tensor.double().numpy()
    return SentencePicker(name, folder.revision, weights, str(fallback))
