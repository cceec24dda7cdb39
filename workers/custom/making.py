"""From rows and what they stand on to a classifier's folder, language by language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from lepton_tasks.nlp.training import TrainingOptions
from workers.custom.base import Base, Ground
from workers.custom.features import log_scores, vectors
from workers.custom.learning import Learner, Say, Tuning
from workers.custom.rows import Row
from workers.custom.writing import Change, write_changed
from workers.engines.linear_heads import Heads
from workers.engines.tuned import is_tuned
from workers.features.ngrams import NgramSpec, bags
from workers.longruns.child import RunFailed
from workers.training.classifier import LanguageHeads, SoftmaxHead, save_classifier

ROUNDS: Final = 20
EPOCHS: Final = 3
NGRAM_SHARE: Final = 0.5
"""Of the n-grams in logits that an encoder has a part in too."""
SPECS: Final = {"zh": NgramSpec(1 << 16, (1, 4), (0, 0))}
SPEC: Final = NgramSpec(1 << 16, (2, 5), (1, 2))
_LEAST_ROWS: Final = 10

TUNING: Final = ("lora", "top-layers")
"""Methods that change upper layers of the encoder."""
LAYERS: Final = 2
"""That are tuned where the options name no number."""

Upper = Mapping[str, torch.Tensor]
"""Tensors of tuned layers, by their names in a model folder."""


@dataclass(frozen=True, slots=True)
class Group:
    """The rows that one language's heads learn from. ``truth`` are places in ``labels``."""

    language: str
    rows: Sequence[Row]
    labels: Sequence[str]

    @property
    def texts(self) -> list[str]:
        """Their texts."""
        return [row.text for row in self.rows]

    @property
    def truth(self) -> list[int]:
        """Their labels, as places."""
        return [self.labels.index(row.label) for row in self.rows]

    def zeros(self) -> torch.Tensor:
        """Logits that say nothing."""
        return torch.zeros(len(self.rows), len(self.labels), dtype=torch.float64)


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes one classifier. ``say`` is told a unit's name and share, and its figures."""

    options: TrainingOptions
    ground: Ground
    learner: Learner
    say: Callable[..., None]

    def change(
        self, base: Base, rows: Sequence[Row], folder: Path, facts: Mapping[str, Any]
    ) -> None:
        """Add to the heads of ``base`` what ``rows`` teach, and write the result.

        Raises:
            RunFailed: the method does not go with the base or the rows' language.
        """
        self._check_reading({row.language for row in rows})
        fallback = base.folder.config["fallback_language"]
        change = Change()
        for language, own in _by_language(rows, set(base.languages), fallback).items():
            heads = base.engine.heads_of(language)
            self._change(base, Group(language, own, heads.labels), heads, change)
        write_changed(base.folder, change, folder, facts)

    def _change(self, base: Base, group: Group, heads: Heads, change: Change) -> None:
        language, method = group.language, self._method(group.language)
        upper = upper_of(base)
        said = partial(log_scores, base.engine, group.rows, self._report(language, "base"))
        if method == "ngram-head":
            if not any((*heads.spec.characters, *heads.spec.words)):
                raise RunFailed(
                    "wrong_method",
                    f"{base.entry.name} has no n-grams for {language}: take encoder-head, lora or "
                    "top-layers",
                )
            change.ngrams[language] = self.learner.ngram_head(
                f"{language}-ngrams",
                group.texts,
                group.truth,
                heads.spec,
                said,
                self.options.epochs or ROUNDS,
                self._say(language, "training"),
            )
        elif method == "encoder-head":
            change.dense[language] = self._dense(group, upper, said)
        else:
            if sum(bool(part["encoder"]) for part in base.languages.values()) > 1:
                raise RunFailed(
                    "wrong_method",
                    f"{base.entry.name} reads several languages by its encoder, and {method} "
                    "would change what all of them stand on: take encoder-head",
                )
            with torch.no_grad():
                head = SoftmaxHead(
                    heads.dense.detach().double().numpy(), np.zeros(len(group.labels))
                )
                offset = ngram_logits(heads, group.texts)
            change.upper, tuned = self._tuned(group, upper, offset, head)
            change.tuned[language] = tuned

    def make(self, rows: Sequence[Row], folder: Path, facts: Mapping[str, Any]) -> None:
        """Make heads of the rows' own labels, and write them.

        Raises:
            RunFailed: the method does not go with the rows' language.
        """
        counts = Counter(row.language for row in rows)
        self._check_reading(set(counts))
        main = max(sorted(counts), key=lambda language: counts[language])
        if self.options.method != "ngram-head":
            readable = [one for one in sorted(counts) if self.ground.reads(one)]
            main = max(readable, key=lambda one: counts[one])
        apart = {
            language
            for language in counts
            if language in ("en", "zh")
            and counts[language] >= _LEAST_ROWS
            and len({row.label for row in rows if row.language == language}) > 1
        }
        if self.options.method in TUNING:  # one set of tuned layers has one head over it
            apart -= {one for one in apart if self.ground.reads(one)}
        tables: dict[str, LanguageHeads] = {}
        upper: Upper = {} if self.ground.base is None else upper_of(self.ground.base)
        for language, own in _by_language(rows, apart | {main}, main).items():
            group = Group(language, own, sorted({row.label for row in own}))
            tables[language], upper = self._new(group, upper)
        standing = any(one.dense is not None for one in tables.values())
        facts = {**facts, "fallback_language": main}
        save_classifier(folder, tables, facts, upper if standing else None)

    def _new(self, group: Group, upper: Upper) -> tuple[LanguageHeads, Upper]:
        language = group.language
        method = self._method(language)
        spec = SPECS.get(language, SPEC)
        grams = self.learner.ngram_head(
            f"{language}-ngrams",
            group.texts,
            group.truth,
            spec,
            group.zeros,
            ROUNDS if method in TUNING else self.options.epochs or ROUNDS,
            self._say(language, "training"),
        )
        if method == "ngram-head":
            return LanguageHeads(group.labels, spec, grams, None), upper
        if method == "encoder-head":
            dense = self._dense(group, upper, group.zeros)
        else:
            upper, dense = self._tuned(group, upper, None, None)
        parts = grams.scaled(NGRAM_SHARE), dense.scaled(1 - NGRAM_SHARE)
        return LanguageHeads(group.labels, spec, *parts), upper

    def _dense(self, group: Group, upper: Upper, offset: Callable[[], torch.Tensor]) -> SoftmaxHead:
        return self.learner.dense_head(
            f"{group.language}-dense",
            partial(
                vectors,
                self.ground.standing(),
                group.texts,
                upper,
                self._report(group.language, "encoding"),
            ),
            group.truth,
            offset,
            self.options.epochs or ROUNDS,
            self._say(group.language, "training"),
        )

    def _tuned(
        self,
        group: Group,
        upper: Upper,
        offset: torch.Tensor | None,
        head: SoftmaxHead | None,
    ) -> tuple[Upper, SoftmaxHead]:
        options = self.options
        tuning = Tuning(
            self.ground.standing(),
            upper,
            options.method == "top-layers",
            options.layers or LAYERS,
            options.epochs or EPOCHS,
            options.seed,
            options.rank,
        )
        return self.learner.tuned(
            f"{group.language}-{options.method}",
            tuning,
            group.texts,
            group.truth,
            len(group.labels),
            offset,
            head,
            self._report(group.language, "encoding"),
            self._say(group.language, "training"),
        )

    def _method(self, language: str) -> str:
        """That of the options, but n-grams alone where the encoder does not read a language."""
        return self.options.method if self.ground.reads(language) else "ngram-head"

    def _check_reading(self, languages: set[str]) -> None:
        if self.options.method != "ngram-head" and not any(map(self.ground.reads, languages)):
            raise RunFailed(
                "wrong_method",
                f"no encoder reads {' or '.join(sorted(languages))} here: take ngram-head, or a "
                "base whose encoder does",
            )

    def _say(self, language: str, stage: str) -> Say:
        return partial(self.say, language, stage)

    def _report(self, language: str, stage: str) -> Callable[[float], None]:
        return lambda share: self.say(language, stage, share)


def upper_of(base: Base) -> dict[str, torch.Tensor]:
    """The tensors of a base's tuned layers, by name; none where it has none."""
    found = base.folder.tensors.items()
    return {name: one.float() for name, one in found if is_tuned(name)}


def ngram_logits(heads: Heads, texts: Sequence[str]) -> torch.Tensor:
    """What n-grams and bias say of texts: logits [texts, labels]."""
    found = bags(texts, heads.spec)
    indices, weights = torch.from_numpy(found.indices), torch.from_numpy(found.weights)
    said: torch.Tensor = heads.bag(
        indices, torch.from_numpy(found.offsets[:-1]), per_sample_weights=weights
    )
    return said + heads.bias


def _by_language(rows: Sequence[Row], known: set[str], fallback: str) -> dict[str, list[Row]]:
    """Rows by language; those of a language that is not ``known`` are the fallback's."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.language if row.language in known else fallback, []).append(row)
    return dict(sorted(found.items()))
