"""Why a classifier gave a text its score: what each word adds to the logit of a label.

A logit is ``bias + sum of n-gram weights + dense · vector``. The n-grams' part is exact: the
weight of an n-gram, shared out among the characters it covers. The encoder's part is found
by integrated gradients. Both add up to the logit less that of a text of blanks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.explanation import Explained, ExplainedInput
from lepton_tasks.nlp.offsets import Mapped
from workers.catalogue.entries import CatalogueEntry
from workers.catalogue.options import read_options
from workers.engines.attribution import EncoderPart
from workers.engines.base import Encoded, Engine, LaneKey, SimpleEngine
from workers.engines.bert import Bert
from workers.engines.encoder import SentenceEncoder, TokenSpans
from workers.engines.explainable import Explainable, LinearHeads, direction
from workers.engines.lanes import SoloLane
from workers.errors import CatalogueError, InputRefused, ModelRefused
from workers.features.gram_spans import GramSpans, canonical_mapped, gram_spans
from workers.features.spreading import Floats, spread, spread_grams, units

_PASSES_A_STEP = 2
"""Forward passes that a step of integration costs: there and back."""


class ExplainerOptions(BaseModel):
    """The ``options`` of a catalogue entry.

    ``task`` and ``model`` are the classifier's; the rest of the entry is what its own says.
    ``steps`` are points of integration: more miss less and take longer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    model: str
    engine: str = "text-classifier"
    steps: int = Field(default=24, ge=2, le=256)


@dataclass(frozen=True, slots=True)
class _Tokens:
    """``scored`` is the text as the classifier takes it; ``read`` as its encoder sees it."""

    one: ExplainedInput
    scored: Encoded
    canonical: Mapped
    grams: GramSpans
    read: TokenSpans | None


class Explainer:
    """An Engine over a classifier; raw results are :class:`Explained`. Each item runs alone."""

    def __init__(self, name: str, options: ExplainerOptions, classifier: Explainable) -> None:
        """Raises ModelRefused where the classifier has an encoder that cannot be looked into."""
        self.name = name
        self.revision = classifier.revision
        key = classifier.lane.key
        self.lane = SoloLane(LaneKey(name, self.revision, key.device, key.dtype))
        self.lane.tunable = False
        self._options = options
        self._classifier = classifier
        self._encoder: tuple[SentenceEncoder, Bert] | None = None
        if classifier.encoder is not None:
            found = classifier.encoder.trunk.architecture
            if not isinstance(found, Bert):
                raise ModelRefused(
                    f"{name}: the encoder of {options.model} is no BERT or RoBERTa, and no "
                    "others can be explained"
                )
            classifier.encoder.blank()
            self._encoder = classifier.encoder, found

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield all weights of the classifier."""
        yield from self._classifier.tensors()

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Find n-grams and tokens with their places.

        Raises:
            InputRefused: an input asks for another task than is explained here.
        """
        found = []
        for one, scored in zip(inputs, self._classifier.tokenize(inputs), strict=True):
            if not isinstance(one, ExplainedInput) or one.task != self._options.task:
                raise InputRefused(
                    "wrong_task",
                    f"the model {self.name} explains {self._options.task} alone, which the option "
                    "`task` has to name",
                )
            heads = self._classifier.heads_of(one.language)
            canonical = canonical_mapped(one.text)
            grams = gram_spans(canonical.text, heads.spec)
            read = None
            if heads.width and self._encoder is not None:
                read = self._encoder[0].token_spans(one.text)
            length = scored.length
            if read is not None and one.method != "exact":
                length += len(read.ids) * self._options.steps * _PASSES_A_STEP
            found.append(Encoded(length, _Tokens(one, scored, canonical, grams, read)))
        return found

    def forward(self, batch: Sequence[Encoded]) -> list[Explained]:
        """Score all items, then explain one after the other."""
        scores = self._classifier.forward([encoded.tokens.scored for encoded in batch])
        return [
            self._explain(encoded.tokens, found)
            for encoded, found in zip(batch, scores, strict=True)
        ]

    def _explain(self, tokens: _Tokens, scores: Mapping[str, float]) -> Explained:
        one, heads = tokens.one, self._classifier.heads_of(tokens.one.language)
        label = one.label or max(scores, key=lambda name: scores[name])
        found = Explained(
            classifier=self._options.model,
            classifier_revision=self.revision,
            label=label,
            label_supported=label in heads.labels,
            score=float(scores.get(label, 0.0)),
            language_supported=not getattr(scores, "foreign", False),
            truncated=bool(getattr(scores, "truncated", False)),
            method="exact",
            logit=0.0,
            base_value=0.0,
            values=[],
        )
        if found["label_supported"]:
            self._attribute(tokens, heads, found)
        return found

    def _attribute(self, tokens: _Tokens, heads: LinearHeads, found: Explained) -> None:
        """Fill in logit, base value and what each word adds."""
        text, grams, method = tokens.one.text, tokens.grams, tokens.one.method
        toward = direction(heads.labels, found["label"], heads.activation == "softmax")
        toward = toward.to(heads.bias.device)
        with torch.inference_mode():
            rows = heads.bag.weight[torch.from_numpy(grams.buckets).to(toward.device)]
            weights = (rows @ toward).double().cpu().numpy()
            base = float(heads.bias @ toward)
        dense = heads.dense.detach() @ toward
        by_gram = weights * grams.weights
        logit = base + float(by_gram.sum())
        values = np.zeros(len(text))
        if method != "integrated-gradients" or tokens.read is None:
            values += spread_grams(by_gram, grams, tokens.canonical, text)
        if tokens.read is not None and self._encoder is not None:
            encoder, bert = self._encoder
            part = EncoderPart(encoder, bert, self._classifier.top, dense, tokens.read)
            of_text, of_blanks = part.values()
            logit += of_text
            if method != "exact":
                base += of_blanks
                values += _by_token(part.attributions(self._options.steps), part.tokens, text)
                found["method"] = (
                    method if method == "integrated-gradients" else "exact+integrated-gradients"
                )
        found["logit"], found["base_value"] = logit, base
        sums = np.concatenate([[0.0], np.cumsum(values)])
        found["values"] = [
            (start, end, float(sums[end] - sums[start])) for start, end in units(text)
        ]


def build_explainer(
    entry: CatalogueEntry, build: Callable[[CatalogueEntry], Engine | SimpleEngine]
) -> Explainer:
    """Make an engine of a catalogue entry; ``build`` makes that of the classifier's entry.

    Raises CatalogueError for wrong options, naming the field, or a classifier that cannot be
    explained, and what ``build`` raises.
    """
    options = read_options(entry, ExplainerOptions)
    classifier = build(
        entry.model_copy(
            update={
                "name": options.model,
                "task": options.task,
                "engine": options.engine,
                "options": {},
            }
        )
    )
    if not isinstance(classifier, Explainable):
        raise CatalogueError(
            f"[{entry.name}] options.engine: the engine {options.engine!r} has no linear heads, "
            "so it cannot be explained"
        )
    return Explainer(entry.name, options, classifier)


def _by_token(values: Floats, tokens: TokenSpans, text: str) -> Floats:
    keep = ~tokens.special
    spans = np.array(tokens.spans, dtype=np.int64).reshape(-1, 2)[keep]
    if not len(spans):
        return np.zeros(len(text))
    return spread(values[keep], spans[:, 0], spans[:, 1], text)
