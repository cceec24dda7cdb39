"""Answers to questions by small linear models: which sentence, which of its words, and whether.

English sentences are also compared with the question by an encoder's vectors, so questions
share a lane, and each sentence of a micro-batch goes through the encoder once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.question_answering import QuestionInput
from workers.engines.base import Encoded, Raw
from workers.engines.branches import Rows
from workers.engines.encoder import SentenceEncoder
from workers.engines.finding import LAYOUT, TRUST, FinderWeights, Floats, find_answer
from workers.engines.folder import ModelFolder
from workers.engines.packed import TokenIds
from workers.engines.transfer import host_tensor, on_device
from workers.engines.trunk import States
from workers.engines.trunk_lane import TrunkLane
from workers.errors import ModelRefused
from workers.features.answers import BUCKETS, LENGTHS, ROLES, SHAPES, SpanWeights
from workers.features.question_kinds import KINDS
from workers.features.questions import NAMES, add_cosines, prepared, question_features

_SENTENCES_ENCODED: Final = 64
"""Sentences of a context that the encoder sees, those that share most with the question."""
_CHARACTERS_PER_TOKEN: Final = 512
"""Characters of a context whose features are counted as one token of encoder work."""


@dataclass(frozen=True, slots=True)
class _Tokens:
    """``ids`` are the question's, then those of the sentences at ``places``.

    Without an encoder there are none.
    """

    asked: QuestionInput
    question: str
    language: str
    features: npt.NDArray[np.float32]
    places: npt.NDArray[np.int64]
    ids: tuple[TokenIds, ...]


@dataclass(frozen=True, slots=True)
class _Collated:
    """``questions`` and ``sentences`` [cosines] are rows of the trunk's states."""

    items: list[_Tokens]
    questions: torch.Tensor
    sentences: torch.Tensor


class AnswerFinder:
    """An Engine whose raw result is a span of the context, its score, and windows: sentences.

    A context in a language without weights takes those of ``fallback``.
    """

    def __init__(
        self,
        name: str,
        revision: str,
        weights: Mapping[str, FinderWeights],
        fallback: str,
        simplified: Mapping[int, str],
        encoder: SentenceEncoder | None,
        lane: TrunkLane,
    ) -> None:
        """``simplified`` is a table of simplified characters for :meth:`str.translate`."""
        self.name = name
        self.revision = revision
        self.lane = lane
        self._weights = weights
        self._fallback = fallback
        self._simplified = simplified
        self._encoder = encoder

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield the weights of the encoder; the others are a few numbers in host memory."""
        if self._encoder is not None:
            yield from self._encoder.tensors()

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Compare question and sentences by their words, and tokenise them for the encoder.

        Raises:
            TypeError: an input is no QuestionInput.
        """
        return [self._encoded(one) for one in inputs]

    def _encoded(self, one: ModelInput) -> Encoded:
        if not isinstance(one, QuestionInput):
            raise TypeError(f"{self.name} takes QuestionInput, not {type(one).__name__}")
        language = one.language if one.language in self._weights else self._fallback
        question = prepared(one.question, self._simplified)
        sentences = [prepared(one.text[start:end], self._simplified) for start, end in one.spans]
        features = question_features(question, sentences, language == "zh")
        ids: tuple[TokenIds, ...] = ()
        places = np.zeros(0, dtype=np.int64)
        length = 1 + len(one.text) // _CHARACTERS_PER_TOKEN
        if self._weights[language].encoder and self._encoder is not None:
            places = _nearest(features)
            ids = tuple(self._encoder.tokenize([question, *(sentences[place] for place in places)]))
            # As if each were as long as can be: what it shares a pass with may make it so.
            length += len(ids) * self._encoder.max_tokens
        return Encoded(length, _Tokens(one, question, language, features, places, ids))

    def forward(self, batch: Sequence[Encoded]) -> Sequence[Raw]:
        """Answer a micro-batch, which may mix languages."""
        return self.lane.forward([(self, one) for one in batch])

    def collate(self, batch: Sequence[Encoded], rows: Rows) -> _Collated:
        """Pair each sentence with its question."""
        items: list[_Tokens] = [one.tokens for one in batch]
        ends = np.cumsum([len(one.ids) for one in items])
        parts = [rows[end - len(one.ids) : end] for one, end in zip(items, ends, strict=True)]
        empty = np.zeros(0, dtype=np.int64)
        questions = np.concatenate([empty, *(np.repeat(one[:1], len(one[1:])) for one in parts)])
        sentences = np.concatenate([empty, *(one[1:] for one in parts)])
        device = self.lane.device
        return _Collated(items, host_tensor(questions, device), host_tensor(sentences, device))

    def score(self, collated: _Collated, states: States | None) -> torch.Tensor:
        """Cosines of each sentence with its question, item after item."""
        device = self.lane.device
        if states is None:
            return torch.zeros(0, device=device)
        questions = states.vectors.index_select(0, on_device(collated.questions, device))
        sentences = states.vectors.index_select(0, on_device(collated.sentences, device))
        return (questions * sentences).sum(dim=1)

    def read(self, collated: _Collated, scores: torch.Tensor) -> list[Raw]:
        """Choose sentence and span of each item."""
        cosines = scores.numpy()
        results: list[Raw] = []
        at = 0
        for one in collated.items:
            count = max(0, len(one.ids) - 1)
            results.append(self._answer(one, cosines[at : at + count]))
            at += count
        return results

    def _answer(self, one: _Tokens, cosines: npt.NDArray[np.float32]) -> Raw:
        weights = self._weights[one.language]
        features = one.features
        if one.ids:
            spread = np.zeros(len(features), dtype=np.float32)
            spread[one.places] = cosines
            features = add_cosines(features, spread)
        place, start, end, seen = find_answer(
            one.asked, one.question, features, weights, one.language == "zh", self._simplified
        )
        score = 1.0 / (1.0 + float(np.exp(-(seen @ weights.trust))))
        shift = one.asked.spans[place][0]
        return {
            "start": shift + start,
            "end": shift + end,
            "score": score,
            "windows": len(one.asked.spans),
        }


def _nearest(features: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Places, in order, of the sentences that share most with the question, as many as are read."""
    shared = (
        features[:, NAMES.index("terms")] + features[:, NAMES.index("terms with the one before")]
    )
    return np.sort(np.argsort(-shared, kind="stable")[:_SENTENCES_ENCODED])


def build_answer_finder(
    name: str,
    folder: ModelFolder,
    simplified: Mapping[int, str],
    encoder: SentenceEncoder | None,
    lane: TrunkLane,
) -> AnswerFinder:
    """Put an engine together from a checked folder.

    Raises ModelRefused where its config is for other features than this version computes,
    or tensors are missing or of other shapes.
    """
    config = folder.config
    for key, wanted in LAYOUT.items():
        if config.get(key) != wanted:
            raise ModelRefused(
                f"{folder.path}: {key} are not those that this version computes; train it again "
                "with `python -m workers.training.question_answering`"
            )
    languages: Mapping[str, Any] = config.get("languages", {})
    fallback = config.get("fallback_language")
    if not isinstance(fallback, str) or fallback not in languages:
        raise ModelRefused(
            f"{folder.path}: fallback_language {fallback!r} is not one of the languages "
            f"{sorted(languages)}"
        )
    weights = {
        language: _read_weights(folder, language, bool(part.get("encoder")))
        for language, part in languages.items()
    }
    if encoder is None and (needing := [one for one, part in weights.items() if part.encoder]):
        raise ModelRefused(
            f"{folder.path}, language {needing[0]} needs an encoder, and the catalogue names none"
        )
    return AnswerFinder(name, folder.revision, weights, fallback, simplified, encoder, lane)


def _read_weights(folder: ModelFolder, language: str, encoder: bool) -> FinderWeights:
    kinds = len(KINDS) + 1
    shapes = {
        "sentence": (len(NAMES),),
        "trust": (len(TRUST),),
        "span.shapes": (kinds, len(ROLES), len(SHAPES)),
        "span.words": (len(ROLES), BUCKETS),
        "span.lengths": (kinds, len(LENGTHS)),
    }
    found: dict[str, Floats] = {}
    for key, shape in shapes.items():
        tensor = folder.tensors.get(f"{language}.{key}")
        if tensor is None or tuple(tensor.shape) != shape:
            what = "missing" if tensor is None else f"of shape {tuple(tensor.shape)}"
            raise ModelRefused(
                f"{folder.path}: tensor {language}.{key} is {what}, but the features need {shape}"
            )
        found[key] = tensor.double().numpy()
    spans = SpanWeights(found["span.shapes"], found["span.words"], found["span.lengths"])
    return FinderWeights(found["sentence"], spans, found["trust"], encoder)
