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
from workers.engines.folder import ModelFolder
from workers.engines.packed import TokenIds
from workers.engines.transfer import host_tensor, on_device
from workers.engines.trunk import States
from workers.engines.trunk_lane import TrunkLane
from workers.errors import ModelRefused
from workers.features.answers import (
    BUCKETS,
    LENGTHS,
    ROLES,
    SHAPES,
    SpanWeights,
    sentence_words,
    span_scores,
)
from workers.features.questions import KINDS, NAMES, add_cosines, prepared, question_features

TRUST: Final = (
    "any",
    "terms",
    "pairs",
    "question's share",
    "vector",
    "sentence's share",
    "span's share",
)
"""What the model of the trust in an answer sees of it."""
LAYOUT: Final[Mapping[str, list[str]]] = {
    "sentence_features": list(NAMES),
    "question_kinds": list(KINDS),
    "word_shapes": list(SHAPES),
    "trust_features": list(TRUST),
}
"""What weights are for, as a model's config says it."""
_SENTENCES_READ: Final = 3
"""Likeliest sentences in which an answer is looked for."""
_TINY: Final = 1e-300
_CHARACTERS_PER_TOKEN: Final = 512
"""Characters of a context whose features are counted as one token of encoder work."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FinderWeights:
    """The models of one language. ``sentence`` [len(NAMES)], ``trust`` [len(TRUST)]."""

    sentence: Floats
    spans: SpanWeights
    trust: Floats
    encoder: bool


@dataclass(frozen=True, slots=True)
class _Tokens:
    """``ids`` are the question's, then each sentence's; none without an encoder."""

    asked: QuestionInput
    question: str
    language: str
    features: npt.NDArray[np.float32]
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
        if self._weights[language].encoder and self._encoder is not None:
            ids = tuple(self._encoder.tokenize([question, *sentences]))
        length = 1 + sum(map(len, ids)) + len(one.text) // _CHARACTERS_PER_TOKEN
        return Encoded(length, _Tokens(one, question, language, features, ids))

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
        features = add_cosines(one.features, cosines) if len(cosines) else one.features
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


def find_answer(
    asked: QuestionInput,
    question: str,
    features: npt.NDArray[np.float32],
    weights: FinderWeights,
    chinese: bool,
    simplified: Mapping[int, str],
) -> tuple[int, int, int, Floats]:
    """Return the answer's sentence, its start and end in it, and what trust sees of it.

    Of the likeliest sentences the best spans are compared, the sentence's share counting
    twice. ``features`` are those of the sentences, ``question`` is cleaned. The last
    returned is [len(TRUST)].
    """
    shares = softmax(features.astype(np.float64) @ weights.sentence)
    best = (-np.inf, 0, 0, 0, 0.0)
    for place in np.argsort(-shares, kind="stable")[:_SENTENCES_READ].tolist():
        first, last = asked.spans[place]
        found = sentence_words(question, asked.text[first:last], chinese, simplified)
        scores = span_scores(found, weights.spans)
        begin, more = divmod(int(scores.argmax()), scores.shape[1])
        span_share = float(softmax(scores.ravel()).max())
        rank = 2 * float(np.log(max(shares[place], _TINY))) + float(np.log(span_share))
        start, end = found.words[begin].start, found.words[begin + more].end
        best = max(best, (rank, place, start, end, span_share), key=lambda one: one[0])
    _, place, start, end, span_share = best
    seen = {
        **dict(zip(NAMES, features[place].tolist(), strict=True)),
        "any": 1.0,
        "sentence's share": float(shares[place]),
        "span's share": span_share,
    }
    return place, start, end, np.array([seen[name] for name in TRUST])


def softmax(logits: Floats) -> Floats:
    """Shares of 1 that grow with ``logits``, at least one of them finite."""
    odds: Floats = np.exp(logits - logits.max())
    shares: Floats = odds / odds.sum()
    return shares


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
