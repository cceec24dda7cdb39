"""Labels that come with the request: which one's meaning is closest to the text's.

No model is trained for them. A text and its labels become vectors of norm 1, and the score
is the softmax of their cosines. English goes through the sentence encoder. For Chinese, which
that does not know, vectors are hashed character n-grams: a label is close to a text that has
characters in common with it, and no more than that.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.language import LANGUAGES, detect_language
from lepton_tasks.nlp.scores import LabelScores
from workers.engines.base import Encoded, Raw
from workers.engines.branches import Rows
from workers.engines.encoder import SentenceEncoder
from workers.engines.packed import TokenIds
from workers.engines.transfer import host_tensor, on_device
from workers.engines.trunk import States
from workers.features.ngrams import NgramSpec, bags

MOST_KEPT: Final = 64
"""Label sets whose vectors are kept, those used last: of 100 labels 150 kB each."""
SENTENCE: Final = "This text is about {}."
"""What the encoder sees of a label: in this form the one that fits was closest most often."""
SHARPNESS: Final = 20.0
"""What cosines are multiplied by before the softmax: of 10, 20 and 30 the least surprised one."""
_SPEC: Final = NgramSpec(buckets=1 << 20, characters=(1, 2), words=(0, 0))
_NOTHING: Final = "\u0001"
"""A text that has no n-gram in common with others but the spaces around it."""
_NO_IDS: Final = np.zeros(0, dtype=np.int32)
_CHARACTERS_PER_TOKEN: Final = 3

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Tokens:
    """``cosines`` [labels] are known already where there are no ``ids``.

    ``truncated`` says that the encoder sees only the beginning of the text.
    """

    labels: Labels
    language: str
    ids: TokenIds
    truncated: bool
    cosines: npt.NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class _Group:
    """The items of a micro-batch that have the same labels, and take the same way.

    ``places`` are theirs among the engine's items; there are ``rows`` of the trunk's states
    or else ``cosines`` [items, labels].
    """

    labels: Labels
    places: list[int]
    rows: torch.Tensor | None
    cosines: torch.Tensor | None
    notes: list[dict[str, bool]]


class ZeroShot:
    """An Engine for inputs that carry ``labels``, distinct and at least one."""

    def __init__(self, name: str, encoder: SentenceEncoder) -> None:
        self.name = name
        self.revision = encoder.trunk.revision
        self.lane = encoder.lane
        self._encoder = encoder
        self._device = encoder.lane.device
        self._vectors: OrderedDict[Labels, torch.Tensor] = OrderedDict()

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield the encoder's weights."""
        yield from self._encoder.tensors()

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Tokenise English texts; for Chinese ones find the cosines.

        The first item with labels that are not known yet is as long as these, too.

        Raises:
            ValueError: an input has no labels.
        """
        labels = [_labels(one) for one in inputs]
        chinese = [
            one.language == "zh" or any(detect_language(label) == "zh" for label in own)
            for one, own in zip(inputs, labels, strict=True)
        ]
        english = [row for row, is_chinese in enumerate(chinese) if not is_chinese]
        found = self._encoder.tokenize_noting_cuts([inputs[row].text for row in english])
        read = dict(zip(english, found, strict=True))
        encoded = []
        fresh: set[Labels] = set()
        for row, one in enumerate(inputs):
            ids, truncated = read.get(row, (_NO_IDS, False))
            cosines = _cosines(one.text, labels[row]) if chinese[row] else None
            tokens = _Tokens(labels[row], one.language, ids, truncated, cosines)
            length = len(ids) + 1
            if not chinese[row] and labels[row] not in self._vectors and labels[row] not in fresh:
                fresh.add(labels[row])
                length += sum(map(_label_tokens, labels[row]))
            encoded.append(Encoded(length, tokens))
        return encoded

    def forward(self, batch: Sequence[Encoded]) -> Sequence[Raw]:
        """Score a micro-batch, which may mix languages and labels."""
        return self.lane.forward([(self, one) for one in batch])

    def collate(self, batch: Sequence[Encoded], rows: Rows) -> list[_Group]:
        """Group items that have the same labels."""
        tokens: list[_Tokens] = [one.tokens for one in batch]
        alike: dict[tuple[Labels, bool], list[int]] = {}
        for place, one in enumerate(tokens):
            alike.setdefault((one.labels, one.cosines is None), []).append(place)
        groups = []
        for (labels, encoded), places in alike.items():
            own = [tokens[place] for place in places]
            cosines = [one.cosines for one in own if one.cosines is not None]
            groups.append(
                _Group(
                    labels,
                    places,
                    host_tensor(rows[places], self._device) if encoded else None,
                    host_tensor(np.stack(cosines), self._device) if cosines else None,
                    [self._notes(one) for one in own],
                )
            )
        return groups

    def score(self, collated: Sequence[_Group], states: States | None) -> torch.Tensor:
        """Softmax over each text's labels, group after group."""
        found = []
        for group in collated:
            if group.cosines is not None:
                cosines = on_device(group.cosines, self._device)
            elif states is not None and group.rows is not None:
                rows = on_device(group.rows, self._device)
                vectors = states.vectors.index_select(0, rows)
                cosines = vectors @ self._label_vectors(group.labels).T
            found.append(torch.softmax(SHARPNESS * cosines, 1).flatten())
        return torch.cat(found)

    def read(self, collated: Sequence[_Group], scores: torch.Tensor) -> list[Raw]:
        """Name each text's scores by its labels."""
        results: dict[int, Raw] = {}
        sizes = [len(group.places) * len(group.labels) for group in collated]
        for group, own in zip(collated, torch.split(scores, sizes), strict=True):
            table = own.view(len(group.places), -1).tolist()
            for place, values, notes in zip(group.places, table, group.notes, strict=True):
                named = zip(group.labels, values, strict=True)
                results[place] = LabelScores(named, **notes)
        return [results[place] for place in range(len(results))]

    def _label_vectors(self, labels: Labels) -> torch.Tensor:
        """Vectors [labels, width] of a label set; the set used longest ago is forgotten."""
        found = self._vectors.pop(labels, None)
        if found is None:
            sentences = [SENTENCE.replace("{}", label) for label in labels]
            found = self._encoder.forward(self._encoder.tokenize(sentences))
            while len(self._vectors) >= MOST_KEPT:
                self._vectors.popitem(last=False)
        self._vectors[labels] = found
        return found

    def _notes(self, tokens: _Tokens) -> dict[str, bool]:
        return {
            "truncated": tokens.truncated,
            "foreign": tokens.language not in LANGUAGES,
        }


def _label_tokens(label: str) -> int:
    """About what the encoder sees of a label in its sentence."""
    return (len(SENTENCE) + len(label)) // _CHARACTERS_PER_TOKEN


def _labels(one: ModelInput) -> Labels:
    labels: Labels = getattr(one, "labels", ())
    if not labels:
        raise ValueError("the model takes labels of the request, and there are none")
    return labels


def _cosines(text: str, labels: Labels) -> npt.NDArray[np.float32]:
    """Cosine [labels] of the n-grams of ``text`` and those of each label.

    >>> [round(float(one), 2) for one in _cosines("快递还没到", ("快递", "退款"))]
    [0.38, 0.0]
    """
    found = bags([text, *labels, _NOTHING], _SPEC)
    end, last = int(found.offsets[1]), int(found.offsets[-2])
    if end == 0:
        return np.zeros(len(labels), dtype=np.float32)
    spaces = np.isin(found.indices, found.indices[last:])
    weights = np.where(spaces, 0.0, found.weights)
    own = found.indices[:end]  # in rising order
    at = np.minimum(np.searchsorted(own, found.indices), end - 1)
    products = np.where(own[at] == found.indices, weights[at] * weights, 0.0)
    sums = np.concatenate([[0.0], np.cumsum(products)])
    cosines: npt.NDArray[np.float32] = np.diff(sums[found.offsets])[1:-1].astype(np.float32)
    return cosines
