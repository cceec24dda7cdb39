"""The engine of preprocessing: sentences and words by rules, parts of speech by linear tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final

import numpy as np
import torch

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.preprocessing import UPOS, Part, PreprocessingInput
from lepton_tasks.nlp.sentences import split_sentences
from workers.engines.base import Encoded, Raw
from workers.engines.folder import ModelFolder
from workers.errors import ModelRefused
from workers.tagging.chinese import ChineseWords
from workers.tagging.english import Span, split_words
from workers.tagging.features import FEATURES_VERSION, Buckets, buckets_of
from workers.tagging.table import TagTable

_CHINESE: Final = "zh"
_CHARACTERS_PER_TOKEN: Final = 4


@dataclass(frozen=True, slots=True)
class _Cut:
    """A text, its sentences and the words of each, as far as ``parts`` need them.

    ``read`` is what words were found in: the text, or the text in simplified characters.
    """

    text: str
    read: str
    parts: tuple[Part, ...]
    sentences: list[Span]
    tokens: list[list[Span]]

    @property
    def tags_wanted(self) -> bool:
        return "tags" in self.parts

    def words(self) -> list[list[str]]:
        """Words of every sentence."""
        return [[self.read[start:end] for start, end in spans] for spans in self.tokens]

    def length(self) -> int:
        """What the text counts for in a micro-batch: its words, or else its characters."""
        words = sum(map(len, self.tokens))
        return 1 + (words or len(self.text) // _CHARACTERS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class _Tokens:
    """``found`` are the buckets of the words of ``cut``, None where they get no tags."""

    cut: _Cut
    language: str
    found: Buckets | None


class Tagger:
    """A SimpleEngine: ``text``, and of ``sentences``, ``tokens`` and ``tags`` what was asked for.

    Tags are None in a language without a table. Traditional Chinese is cut and tagged by way of
    its simplified form. jieba's dictionary and the conversion are loaded when the first text
    needs them.
    """

    tunable: ClassVar[bool] = False

    def __init__(self, name: str, revision: str, tables: Mapping[str, TagTable]) -> None:
        self.name = name
        self.revision = revision
        self._tables = dict(tables)
        self.weights = torch.nn.ModuleDict(self._tables)

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Cut every text, and hash the features of all words of a language at once."""
        cuts = [self._cut(one) for one in inputs]
        found: dict[int, Buckets] = {}
        for language in self._tables:
            places = [
                place
                for place, (cut, one) in enumerate(zip(cuts, inputs, strict=True))
                if cut.tags_wanted and one.language == language
            ]
            if not places:
                continue
            words = [cuts[place].words() for place in places]
            rows = self._buckets([sentence for text in words for sentence in text], language)
            start = 0
            for place, text in zip(places, words, strict=True):
                end = start + sum(map(len, text))
                found[place] = rows[start:end]
                start = end
        return [
            Encoded(cut.length(), _Tokens(cut, one.language, found.get(place)))
            for place, (cut, one) in enumerate(zip(cuts, inputs, strict=True))
        ]

    def forward(self, batch: Sequence[Encoded]) -> list[Raw]:
        """Tag all words of a language at once, and say what was found in each text."""
        items: list[_Tokens] = [one.tokens for one in batch]
        tags: dict[int, list[str]] = {}
        for language, table in self._tables.items():
            parts = {
                place: one.found
                for place, one in enumerate(items)
                if one.language == language and one.found is not None
            }
            if parts:
                words = iter(table.tag(np.concatenate(list(parts.values()))))
                for place, part in parts.items():
                    tags[place] = [next(words) for _ in range(len(part))]
        return [_raw(one.cut, tags.get(place)) for place, one in enumerate(items)]

    def words(self, text: str, language: str) -> list[Span]:
        """Start and end of every word of ``text``."""
        split = self._chinese.split if language == _CHINESE else split_words
        return list(split(text))

    def tag(self, sentences: Sequence[Sequence[str]], language: str) -> list[str]:
        """Tags of all words of sentences that are cut already, one after the other.

        Raises KeyError for a language without a table.
        """
        return self._tables[language].tag(self._buckets(sentences, language))

    def _buckets(self, sentences: Sequence[Sequence[str]], language: str) -> Buckets:
        kind = self._chinese.kind if language == _CHINESE else _no_kind
        return buckets_of(
            [[(word, kind(word)) for word in sentence] for sentence in sentences],
            self._tables[language].buckets,
        )

    @cached_property
    def _chinese(self) -> ChineseWords:
        return ChineseWords()

    @cached_property
    def _simplifier(self) -> Any:
        from opencc import OpenCC

        return OpenCC("t2s")

    def _cut(self, one: ModelInput) -> _Cut:
        if not isinstance(one, PreprocessingInput):
            raise TypeError(f"a PreprocessingInput is wanted, not a {type(one).__name__}")
        simple = self._simplified(one)
        text = simple if one.simplified else one.text
        # jieba's dictionary is in simplified characters; a word has as many in either script.
        read = simple if len(simple) == len(text) else text
        sentences = split_sentences(text) if one.parts else []
        tokens = [
            [
                (start + first, start + last)
                for first, last in self.words(read[start:end], one.language)
            ]
            for start, end in (sentences if {"tokens", "tags"} & set(one.parts) else [])
        ]
        return _Cut(text, read, one.parts, sentences, tokens)

    def _simplified(self, one: PreprocessingInput) -> str:
        if not one.simplified and one.language != _CHINESE:
            return one.text
        simple: str = self._simplifier.convert(one.text)
        return simple


def _raw(cut: _Cut, tags: list[str] | None) -> Raw:
    wants_tokens = "tokens" in cut.parts or cut.tags_wanted
    return {
        "text": cut.text,
        "sentences": cut.sentences if "sentences" in cut.parts else None,
        "tokens": [span for spans in cut.tokens for span in spans] if wants_tokens else None,
        "tags": tags,
    }


def _no_kind(word: str) -> str:
    return ""


def build_tagger(name: str, folder: ModelFolder) -> Tagger:
    """Put an engine together from a checked folder.

    Raises ModelRefused where the config is for other features, a tensor is missing or has
    another shape, or a tag is unknown.
    """
    if folder.config.get("features") != FEATURES_VERSION:
        raise ModelRefused(
            f"{folder.path} was trained for features of version {folder.config.get('features')!r}; "
            f"this release computes version {FEATURES_VERSION}: train it again"
        )
    languages = folder.config.get("languages")
    if not isinstance(languages, dict) or not languages:
        raise ModelRefused(f"{folder.path}: config.json names no languages")
    return Tagger(
        name,
        folder.revision,
        {language: _table(folder, language, part) for language, part in languages.items()},
    )


def _table(folder: ModelFolder, language: str, config: Any) -> TagTable:
    where = f"{folder.path}, language {language}"
    try:
        tags = [str(tag) for tag in config["tags"]]
        buckets = int(config["buckets"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelRefused(f"{where}: config.json is incomplete or wrong: {error!r}") from error
    if unknown := sorted(set(tags) - set(UPOS)):
        raise ModelRefused(f"{where}: tags that the task does not know: {', '.join(unknown)}")
    if buckets < 2 or buckets & (buckets - 1):
        raise ModelRefused(f"{where}: buckets must be a power of two, not {buckets}")
    wanted = {
        "weights": (torch.int8, (buckets, len(tags))),
        "bias": (torch.int32, (len(tags),)),
    }
    for key, (dtype, shape) in wanted.items():
        tensor = folder.tensors.get(f"{language}.{key}")
        if tensor is None or tensor.dtype != dtype or tuple(tensor.shape) != shape:
            found = "missing" if tensor is None else f"{tensor.dtype} {tuple(tensor.shape)}"
            raise ModelRefused(
                f"{where}: tensor {language}.{key} is {found}, but {len(tags)} tags and "
                f"{buckets} buckets need {dtype} {shape}"
            )
    return TagTable(tags, folder.tensors[f"{language}.weights"], folder.tensors[f"{language}.bias"])
