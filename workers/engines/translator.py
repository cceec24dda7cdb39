"""Translation: a text in sentences, sentences of like length together, and the text again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import torch
from pydantic import Field

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.generating import GeneratedText
from lepton_tasks.nlp.sentences import Span, split_sentences
from lepton_tasks.nlp.translation import Translated, TranslationInput
from workers.catalogue.entries import CatalogueEntry
from workers.catalogue.options import read_options
from workers.engines.base import Encoded
from workers.engines.seq2seq import Seq2SeqEngine, Seq2SeqOptions, load_seq2seq
from workers.features.han import simplified_characters

Pair = Annotated[str, Field(pattern=r"^[a-z]{2,3}-[a-z]{2,3}$")]

_PASS_TOKENS: Final = 2048
"""Padded tokens of one pass, beams included: what bounds its memory."""
_NEW_PER_TOKEN: Final = 2
_WITHOUT_SPACES: Final = frozenset({"zh", "ja", "th", "km", "lo", "my"})
"""Languages that are written without spaces."""
_NEW_STEP: Final = 16
"""New tokens are allowed in steps, so that sentences of like length share a pass."""


class TranslatorOptions(Seq2SeqOptions):
    """The ``options`` of a catalogue entry.

    ``pairs`` are what the model translates, such as ``en-zh``. ``target_tokens`` are
    what a source text begins with by target language, for models that need to be told.
    ``longest_sentence`` is in characters: what is longer is cut at punctuation.
    ``simplify`` writes Chinese sources in simplified characters.
    """

    pairs: tuple[Pair, ...] = Field(min_length=1)
    target_tokens: Mapping[str, str] = Field(default_factory=dict)
    longest_sentence: int = Field(default=400, ge=16)
    simplify: bool = False


@dataclass(frozen=True, slots=True)
class _Text:
    """The sentences of a text, what stands before each and after the last, and its target."""

    sentences: Sequence[Encoded]
    joints: Sequence[str]


class Translator:
    """An engine whose raw result is a Translated; texts of any length, none of it left out."""

    tunable = False

    def __init__(self, seq2seq: Seq2SeqEngine, options: TranslatorOptions) -> None:
        self.name = seq2seq.name
        self.revision = seq2seq.revision
        self.network = seq2seq.network
        self._seq2seq = seq2seq
        self._options = options

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Cut texts into sentences and encode these.

        Raises:
            InvalidInput: the model does not translate that pair of languages.
        """
        return [self._encoded(self._checked(one)) for one in inputs]

    def _checked(self, one: ModelInput) -> TranslationInput:
        if not isinstance(one, TranslationInput):
            raise TypeError(f"{self.name} translates TranslationInput, not {type(one)}")
        if f"{one.language}-{one.target}" not in self._options.pairs:
            raise InvalidInput(
                f"the model {self.name!r} does not translate {one.language} to {one.target}; "
                f"its pairs are {', '.join(self._options.pairs)}",
                "target",
                "unsupported_pair",
            )
        return one

    def _encoded(self, one: TranslationInput) -> Encoded:
        text = one.text
        if self._options.simplify and one.language == "zh":
            text = text.translate(simplified_characters())
        spans = list(_sentences(text, self._options.longest_sentence))
        before = self._options.target_tokens.get(one.target, "")
        if before and one.language not in _WITHOUT_SPACES:
            before += " "
        sentences = self._seq2seq.tokenize(
            [ModelInput(before + text[start:end], one.language) for start, end in spans]
        )
        limited = [self._limited(sentence) for sentence in sentences]
        joints = tuple(_joints(text, spans, one.target))
        return Encoded(max(1, sum(one.length for one in limited)), _Text(limited, joints))

    def _limited(self, sentence: Encoded) -> Encoded:
        """Let a sentence become no longer than one of its length may well be."""
        most = _NEW_PER_TOKEN * len(sentence.tokens.ids) + _NEW_STEP
        return self._seq2seq.limited(sentence, -(-most // _NEW_STEP) * _NEW_STEP)

    def forward(self, batch: Sequence[Encoded]) -> list[Translated]:
        """Translate the sentences of all of ``batch``, in passes of bounded size."""
        texts: list[_Text] = [one.tokens for one in batch]
        sentences = [sentence for text in texts for sentence in text.sentences]
        results: dict[int, GeneratedText] = {}
        for rows in _passes(sentences):
            found = self._seq2seq.forward([sentences[row] for row in rows])
            results.update(zip(rows, found, strict=True))
        answers, at = [], 0
        for text in texts:
            count = len(text.sentences)
            answers.append(self._joined(text, [results[at + place] for place in range(count)]))
            at += count
        return answers

    def _joined(self, text: _Text, parts: Sequence[GeneratedText]) -> Translated:
        ids = [token for sentence in text.sentences for token in sentence.tokens.ids]
        whole = "".join(
            joint + part["text"] for joint, part in zip(text.joints, parts, strict=True)
        )
        return Translated(
            text=whole,
            finish_reason=(
                "length" if any(part["finish_reason"] == "length" for part in parts) else "stop"
            ),
            truncated=any(part["truncated"] for part in parts),
            sentences=len(parts),
            unknown_tokens=sum(token == self._seq2seq.unknown for token in ids),
            prompt_tokens=sum(part["prompt_tokens"] for part in parts),
            completion_tokens=sum(part["completion_tokens"] for part in parts),
        )


def _sentences(text: str, longest: int) -> Iterator[Span]:
    r"""Spans of the sentences of each line, for a line is a sentence, or several, by itself.

    >>> list(_sentences("A title\n\nOne. Two.", 100))
    [(0, 7), (9, 13), (14, 18)]
    """
    at = 0
    for line in text.split("\n"):
        yield from ((at + start, at + end) for start, end in split_sentences(line, longest))
        at += len(line) + 1


def _joints(text: str, spans: Sequence[Span], target: str) -> Iterator[str]:
    r"""What stands before each sentence: line breaks as they were, or a space where one is due.

    >>> list(_joints("One.  Two.\n\nThree.", [(0, 4), (6, 10), (12, 18)], "zh"))
    ['', '', '\n\n']
    >>> list(_joints("一。二。", [(0, 2), (2, 4)], "en"))
    ['', ' ']
    """
    space = "" if target in _WITHOUT_SPACES else " "
    ends = [None, *(end for _, end in spans)]
    for (start, _), end in zip(spans, ends, strict=False):
        if end is None:
            yield ""
        else:
            yield "\n" * text.count("\n", end, start) or space


def _passes(sentences: Sequence[Encoded]) -> Iterator[list[int]]:
    """Row numbers in passes: as many sentences of like length as fit into one.

    >>> from workers.engines.seq2seq import Source
    >>> def one(length): return Encoded(length, Source([0] * length, False, 1, 16))
    >>> list(_passes([one(1000), one(2), one(900), one(3000), one(3)]))
    [[1, 4], [2, 0], [3]]
    """
    rows: list[int] = []
    for row in sorted(range(len(sentences)), key=lambda row: _kind(sentences[row])):
        if rows and (len(rows) + 1) * sentences[row].length > _PASS_TOKENS:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows


def _kind(sentence: Encoded) -> tuple[int, int]:
    return sentence.tokens.max_new_tokens, sentence.length


def build_translator(entry: CatalogueEntry, device: torch.device) -> Translator:
    """Make an engine of a catalogue entry: a local folder of an encoder-decoder model.

    Raises:
        CatalogueError: wrong options; the message names the field.
        ModelRefused: the folder is incomplete or unsafe.
    """
    options = read_options(entry, TranslatorOptions)
    return Translator(load_seq2seq(entry, options, device), options)
