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
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.scores import LabelScores
from workers.engines.base import Encoded, Raw
from workers.engines.branches import Rows
from workers.engines.encoder import SentenceEncoder
from workers.engines.folder import ModelFolder
from workers.engines.packed import TokenIds
from workers.engines.transfer import host_tensor, on_device
from workers.engines.trunk import States
from workers.engines.trunk_lane import TrunkLane
from workers.engines.tuned import TunedTop, read_top
from workers.errors import ModelRefused
from workers.features.ngrams import NgramSpec, bags

_GRAMS_PER_TOKEN = 512
"""N-grams whose lookup is counted as one token of encoder work."""
_NO_IDS: Final = np.zeros(0, dtype=np.int32)

Activation = Literal["sigmoid", "softmax"]


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


class Heads(torch.nn.Module):
    """All labels of one language: an embedding bag, a bias, and weights for an encoder's vector."""

    def __init__(
        self,
        labels: Sequence[str],
        spec: NgramSpec,
        width: int,
        activation: Activation = "sigmoid",
    ) -> None:
        super().__init__()
        self.activation = activation
        self.labels = tuple(labels)
        self.spec = spec
        self.width = width
        self.bag = torch.nn.EmbeddingBag(spec.buckets, len(labels), mode="sum")
        self.bias = torch.nn.Parameter(torch.zeros(len(labels)))
        self.dense = torch.nn.Parameter(torch.zeros(width, len(labels)))

    def forward(
        self,
        indices: torch.Tensor,
        weights: torch.Tensor,
        offsets: torch.Tensor,
        vectors: torch.Tensor | None,
    ) -> torch.Tensor:
        """Probabilities [texts, labels]; ``offsets`` are the starts of the bags."""
        logits = self.bag(indices, offsets, per_sample_weights=weights) + self.bias
        if vectors is not None:
            logits = logits + vectors @ self.dense
        return torch.softmax(logits, 1) if self.activation == "softmax" else torch.sigmoid(logits)


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
            yield from self.top.adapters()

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
        language: _read_heads(folder, language, part, labels, encoder)
        for language, part in languages.items()
    }
    top = None if encoder is None else read_top(folder, encoder.trunk.architecture)
    return TextClassifier(name, folder.revision, heads, fallback, encoder, lane, top)


def _read_heads(
    folder: ModelFolder,
    language: str,
    config: Mapping[str, Any],
    allowed: Sequence[str] | None,
    encoder: SentenceEncoder | None,
) -> Heads:
    where = f"{folder.path}, language {language}"
    try:
        labels = [str(label) for label in config["labels"]]
        spec = NgramSpec(
            int(config["buckets"]), _bounds(config["characters"]), _bounds(config["words"])
        )
        needs_encoder = bool(config["encoder"])
        activation = config.get("activation", "sigmoid")
    except (KeyError, TypeError, ValueError) as error:
        raise ModelRefused(f"{where}: config.json is incomplete or wrong: {error!r}") from error
    if allowed is not None and (unknown := sorted(set(labels) - set(allowed))):
        raise ModelRefused(f"{where}: labels that the task does not know: {', '.join(unknown)}")
    if needs_encoder and encoder is None:
        raise ModelRefused(f"{where} needs an encoder, and the catalogue names none")
    if activation not in get_args(Activation):
        raise ModelRefused(
            f"{where}: activation {activation!r} is none of {', '.join(get_args(Activation))}"
        )
    width = encoder.width if encoder is not None and needs_encoder else 0
    head = Heads(labels, spec, width, activation)
    expected = {
        "bag": (head.bag.weight, (spec.buckets, len(labels))),
        "bias": (head.bias, (len(labels),)),
        "dense": (head.dense, (head.width, len(labels))),
    }
    for key, (parameter, shape) in expected.items():
        if key == "dense" and not head.width:
            continue
        tensor = folder.tensors.get(f"{language}.{key}")
        if tensor is None or tuple(tensor.shape) != shape:
            found = "missing" if tensor is None else f"of shape {tuple(tensor.shape)}"
            raise ModelRefused(
                f"{where}: tensor {language}.{key} is {found}, but {len(labels)} labels and "
                f"the config need {shape}"
            )
        parameter.data.copy_(tensor.float())
    return head


def _bounds(value: Sequence[int]) -> tuple[int, int]:
    low, high = value
    return int(low), int(high)
