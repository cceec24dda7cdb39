"""Linear heads over hashed n-grams and, for some languages, over a sentence encoder.

The logit of a label is ``bias + sum of n-gram weights + dense · vector``; its score is the
logit's sigmoid where a text may have any number of labels, and the softmax over all labels
where it has one. Averaging an n-gram model and an encoder model and calibrating the average
are linear too, so both are folded into these weights at training. The vector is the shared
encoder's, or comes from upper layers that were tuned for this model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.scores import LabelScores
from workers.engines.base import Encoded, Raw
from workers.engines.branches import Rows
from workers.engines.encoder import SentenceEncoder
from workers.engines.folder import ModelFolder
from workers.engines.linear_heads import Heads, read_heads
from workers.engines.packed import TokenIds
from workers.engines.transfer import host_tensor, on_device
from workers.engines.trunk import States
from workers.engines.trunk_lane import TrunkLane
from workers.engines.tuned import TunedTop, read_top
from workers.errors import ModelRefused
from workers.features.ngrams import bags

_GRAMS_PER_TOKEN = 512
"""N-grams whose lookup is counted as one token of encoder work."""
_NO_IDS: Final = np.zeros(0, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class _Tokens:
    """``indices`` and ``weights`` are the text's n-grams; ``ids`` is empty without an encoder.

    ``truncated`` says that the encoder sees only the beginning of the text.
    """

    language: str
    indices: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    ids: TokenIds
    truncated: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """The items of one language in a micro-batch, as the heads take them.

    ``places`` are theirs among the engine's items, ``rows`` those of the trunk's states,
    and ``notes`` what their LabelScores say beside scores.
    """

    language: str
    places: list[int]
    indices: torch.Tensor
    weights: torch.Tensor
    offsets: torch.Tensor
    rows: torch.Tensor | None
    notes: list[dict[str, bool]]


class TextClassifier:
    """An Engine whose raw scores are one probability for each label of the text's language.

    A text in a language without heads takes those of ``fallback``. ``top`` are the tuned
    layers that its vectors come from, None for the encoder's own.
    """

    def __init__(
        self,
        name: str,
        revision: str,
        heads: Mapping[str, Heads],
        fallback: str,
        encoder: SentenceEncoder | None,
        lane: TrunkLane,
        top: TunedTop | None = None,
    ) -> None:
        self.name = name
        self.revision = revision
        self.lane = lane
        self._device = lane.device
        self._heads = {language: head.to(lane.device).eval() for language, head in heads.items()}
        self._fallback = fallback
        self._encoder = encoder
        self.top = top

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield all weights, those of the encoder included."""
        for head in self._heads.values():
            yield from head.parameters()
        if self._encoder is not None:
            yield from self._encoder.tensors()
        if self.top is not None:
            yield from self.top.own

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Hash the n-grams of every text, and tokenise those that the encoder will see."""
        encoded: dict[int, Encoded] = {}
        for language, rows in self._by_language([one.language for one in inputs]).items():
            texts = [inputs[row].text for row in rows]
            found = bags(texts, self._heads[language].spec)
            read = [(_NO_IDS, False)] * len(rows)
            if self._encoder is not None and self._heads[language].width:
                read = self._encoder.tokenize_noting_cuts(texts)
            indices = found.indices.astype(np.int32)
            for place, row in enumerate(rows):
                start, end = found.offsets[place : place + 2]
                own, weights = indices[start:end], found.weights[start:end]
                tokens = _Tokens(inputs[row].language, own, weights, *read[place])
                length = len(tokens.ids) + 1 + int(end - start) // _GRAMS_PER_TOKEN
                encoded[row] = Encoded(length, tokens)
        return [encoded[row] for row in range(len(inputs))]

    def forward(self, batch: Sequence[Encoded]) -> Sequence[Raw]:
        """Score a micro-batch, which may mix languages."""
        return self.lane.forward([(self, one) for one in batch])

    def collate(self, batch: Sequence[Encoded], rows: Rows) -> list[_Group]:
        """Lay the n-grams of each language's texts end to end."""
        tokens: list[_Tokens] = [one.tokens for one in batch]
        groups = []
        for language, places in self._by_language([one.language for one in tokens]).items():
            part = [tokens[place] for place in places]
            sizes = np.fromiter((one.indices.size for one in part), np.int32, len(part))
            needs_states = self._heads[language].width > 0
            groups.append(
                _Group(
                    language,
                    places,
                    host_tensor(np.concatenate([one.indices for one in part]), self._device),
                    host_tensor(np.concatenate([one.weights for one in part]), self._device),
                    host_tensor(np.cumsum(sizes, dtype=np.int32) - sizes, self._device),
                    host_tensor(rows[places], self._device) if needs_states else None,
                    [self._notes(one) for one in part],
                )
            )
        return groups

    def score(self, collated: Sequence[_Group], states: States | None) -> torch.Tensor:
        """Probabilities of one language's texts after the other's, label by label."""
        found = []
        for group in collated:
            vectors = None
            if states is not None and group.rows is not None:
                vectors = states.vectors.index_select(0, on_device(group.rows, self._device))
            scores = self._heads[group.language](
                on_device(group.indices, self._device),
                on_device(group.weights, self._device),
                on_device(group.offsets, self._device),
                vectors,
            )
            found.append(scores.flatten())
        return torch.cat(found)

    def read(self, collated: Sequence[_Group], scores: torch.Tensor) -> list[Raw]:
        """Name each text's probabilities by the labels of its language."""
        results: dict[int, Raw] = {}
        start = 0
        for group in collated:
            labels = self._heads[group.language].labels
            end = start + len(group.places) * len(labels)
            table = scores[start:end].view(-1, len(labels)).tolist()
            start = end
            for place, values, notes in zip(group.places, table, group.notes, strict=True):
                results[place] = LabelScores(zip(labels, values, strict=True), **notes)
        return [results[place] for place in range(len(results))]

    @property
    def encoder(self) -> SentenceEncoder | None:
        """What makes the vectors; None where no language needs any."""
        return self._encoder

    def heads_of(self, language: str) -> Heads:
        """Heads of ``language``; those of the fallback where it has none."""
        return self._heads.get(language, self._heads[self._fallback])

    def _notes(self, tokens: _Tokens) -> dict[str, bool]:
        return {"truncated": tokens.truncated, "foreign": tokens.language not in self._heads}

    def _by_language(self, languages: Sequence[str]) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for place, language in enumerate(languages):
            known = language if language in self._heads else self._fallback
            places.setdefault(known, []).append(place)
        return places


def build_text_classifier(
    name: str,
    folder: ModelFolder,
    labels: Sequence[str] | None,
    encoder: SentenceEncoder | None,
    lane: TrunkLane,
) -> TextClassifier:
    """Put an engine together from a checked folder.

    ``labels`` are those the catalogue allows; None allows any. ``lane`` is the encoder's,
    or a headless one. Raises ModelRefused where config and tensors disagree in labels or shapes.
    """
    languages: Mapping[str, Any] = folder.config.get("languages", {})
    fallback = folder.config.get("fallback_language")
    if not isinstance(fallback, str) or fallback not in languages:
        raise ModelRefused(
            f"{folder.path}: fallback_language {fallback!r} is not one of the languages "
            f"{sorted(languages)}"
        )
    heads = {
        language: read_heads(folder, language, part, labels, encoder)
        for language, part in languages.items()
    }
    top = None if encoder is None else read_top(folder, encoder.trunk.architecture)
    return TextClassifier(name, folder.revision, heads, fallback, encoder, lane, top)
