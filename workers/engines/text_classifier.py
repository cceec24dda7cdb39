"""Linear heads over hashed n-grams and, for some languages, over a sentence encoder.

The score of a label is ``sigmoid(bias + sum of n-gram weights + dense · vector)``.
Averaging an n-gram model and an encoder model and calibrating the average are
linear too, so both are folded into these weights at training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lepton_tasks.nlp.base import ModelInput
from workers.engines.base import Encoded
from workers.engines.encoder import SentenceEncoder
from workers.engines.folder import ModelFolder
from workers.errors import ModelRefused
from workers.features.ngrams import NgramSpec, bags

_GRAMS_PER_TOKEN = 512
"""N-grams whose lookup is counted as one token of encoder work."""


@dataclass(frozen=True, slots=True)
class _Tokens:
    language: str
    indices: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    ids: Sequence[int]


class Heads(torch.nn.Module):
    """All labels of one language: an embedding bag, a bias, and weights for an encoder's vector."""

    def __init__(self, labels: Sequence[str], spec: NgramSpec, width: int) -> None:
        super().__init__()
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
        return torch.sigmoid(logits)


class TextClassifier:
    """An Engine whose raw scores are one probability for each label of the text's language.

    A text in a language without heads takes those of ``fallback``.
    """

    def __init__(
        self,
        name: str,
        revision: str,
        heads: Mapping[str, Heads],
        fallback: str,
        encoder: SentenceEncoder | None,
        device: torch.device,
    ) -> None:
        self.name = name
        self.revision = revision
        self._heads = {language: head.to(device).eval() for language, head in heads.items()}
        self._fallback = fallback
        self._encoder = encoder
        self._device = device

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Hash the n-grams of every text, and tokenise those that the encoder will see."""
        encoded: dict[int, Encoded] = {}
        for language, rows in self._rows_by_language([one.language for one in inputs]).items():
            texts = [inputs[row].text for row in rows]
            found = bags(texts, self._heads[language].spec)
            ids: Sequence[Sequence[int]] = [()] * len(rows)
            if self._encoder is not None and self._heads[language].width:
                ids = self._encoder.tokenize(texts)
            for place, row in enumerate(rows):
                start, end = found.offsets[place : place + 2]
                tokens = _Tokens(
                    language, found.indices[start:end], found.weights[start:end], ids[place]
                )
                length = len(ids[place]) + 1 + int(end - start) // _GRAMS_PER_TOKEN
                encoded[row] = Encoded(length, tokens)
        return [encoded[row] for row in range(len(inputs))]

    @torch.inference_mode()
    def forward(self, batch: Sequence[Encoded]) -> list[Mapping[str, float]]:
        """Score a micro-batch, which may mix languages; one pass for each of them."""
        tokens: list[_Tokens] = [one.tokens for one in batch]
        scores: dict[int, Mapping[str, float]] = {}
        for language, rows in self._rows_by_language([one.language for one in tokens]).items():
            head = self._heads[language]
            part = [tokens[row] for row in rows]
            vectors = None
            if self._encoder is not None and head.width:
                vectors = self._encoder.forward([one.ids for one in part])
            starts = np.cumsum([0, *(one.indices.size for one in part[:-1])])
            found = head(
                torch.from_numpy(np.concatenate([one.indices for one in part])).to(self._device),
                torch.from_numpy(np.concatenate([one.weights for one in part])).to(self._device),
                torch.from_numpy(starts).to(self._device),
                vectors,
            )
            for row, values in zip(rows, found.tolist(), strict=True):
                scores[row] = dict(zip(head.labels, values, strict=True))
        return [scores[row] for row in range(len(batch))]

    def _rows_by_language(self, languages: Sequence[str]) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row, language in enumerate(languages):
            known = language if language in self._heads else self._fallback
            rows.setdefault(known, []).append(row)
        return rows


def build_text_classifier(
    name: str,
    folder: ModelFolder,
    labels: Sequence[str] | None,
    encoder: SentenceEncoder | None,
    device: torch.device,
) -> TextClassifier:
    """Put an engine together from a checked folder.

    ``labels`` are those the catalogue allows; None allows any. Raises
    ModelRefused where config and tensors disagree in labels or shapes.
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
    return TextClassifier(name, folder.revision, heads, fallback, encoder, device)


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
    except (KeyError, TypeError, ValueError) as error:
        raise ModelRefused(f"{where}: config.json is incomplete or wrong: {error!r}") from error
    if allowed is not None and (unknown := sorted(set(labels) - set(allowed))):
        raise ModelRefused(f"{where}: labels that the task does not know: {', '.join(unknown)}")
    if needs_encoder and encoder is None:
        raise ModelRefused(f"{where} needs an encoder, and the catalogue names none")
    head = Heads(labels, spec, encoder.width if encoder is not None and needs_encoder else 0)
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
