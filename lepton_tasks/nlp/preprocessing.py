"""Preprocessing: a text in English or Chinese cleaned, and cut into sentences and tagged words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from lepton_tasks.nlp import cleaning_steps as steps
from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions
from lepton_tasks.nlp.language import Language, detect_language

UPOS = (
    "ADJ",
    "ADP",
    "ADV",
    "AUX",
    "CCONJ",
    "DET",
    "INTJ",
    "NOUN",
    "NUM",
    "PART",
    "PRON",
    "PROPN",
    "PUNCT",
    "SCONJ",
    "SYM",
    "VERB",
    "X",
)
"""The universal part-of-speech tags, https://universaldependencies.org/u/pos/."""

Part = Literal["sentences", "tokens", "tags"]
PARTS: tuple[Part, ...] = ("sentences", "tokens", "tags")


class PreprocessingOptions(TaskOptions):
    """How to clean a text, and which parts of it to return.

    White space is always shortened and characters composed (NFC). ``html`` strips tags and
    decodes entities. ``emoji`` may be kept, removed or named (":thumbs_up_sign:").
    ``full_width`` makes full-width letters and digits plain, or ``all`` of them, punctuation
    too. ``zero_width`` and ``homoglyphs`` undo what hides words. ``case`` applies last, so tags
    do not suffer. ``script`` writes traditional Chinese in simplified characters.
    ``parts`` left out are not computed; ``tags`` need ``tokens`` and bring them along.
    """

    language: Language | None = None
    html: Literal["strip", "keep"] = "strip"
    emoji: Literal["keep", "remove", "name"] = "keep"
    full_width: Literal["keep", "letters", "all"] = "letters"
    zero_width: Literal["remove", "keep"] = "remove"
    homoglyphs: Literal["replace", "keep"] = "replace"
    case: Literal["keep", "lower"] = "keep"
    script: Literal["keep", "simplified"] = "keep"
    parts: tuple[Part, ...] = PARTS


class Sentence(BaseModel):
    """Characters ``start`` to ``end`` (exclusive) of the cleaned text."""

    model_config = ConfigDict(extra="forbid")

    start: int
    end: int


class Token(BaseModel):
    """A word, number or mark: ``text`` is characters ``start`` to ``end`` of the cleaned text.

    ``upos`` is null where tags were not asked for or the language has no tagger.
    """

    model_config = ConfigDict(extra="forbid")

    text: str
    start: int
    end: int
    upos: str | None


class PreprocessingOutput(BaseModel):
    """The cleaned text and its parts. All offsets count characters of the cleaned ``text``.

    ``language`` is ``en``, ``zh``, or ``und`` for a text in neither, which is cut by the rules
    for English and has no tags. Parts that were not asked for are null.
    """

    model_config = ConfigDict(extra="forbid")

    text: str
    language: str
    sentences: list[Sentence] | None
    tokens: list[Token] | None


@dataclass(frozen=True, slots=True)
class PreprocessingInput(ModelInput):
    """A cleaned text, and what the engine is to do with it."""

    simplified: bool
    parts: tuple[Part, ...]


class Preprocessing(Task[PreprocessingOptions, PreprocessingOutput]):
    """Clean and cut one text.

    The engine's raw result has ``text`` and, where asked for, ``sentences`` and ``tokens`` as
    pairs of start and end, and ``tags``, one a token, or None without a tagger.
    """

    name = "preprocessing"
    summary = "Clean a text and cut it into sentences and words with parts of speech."
    engine = "tagger"
    options_model = PreprocessingOptions
    output_model = PreprocessingOutput
    tags: ClassVar[tuple[str, ...]] = UPOS
    """Every tag that a model may give."""
    examples = (
        Example("<p>Dr. Smith can't come&nbsp;today. He's at the dentist's 😬.</p>"),
        Example("今天天气真好！我们去公园散步吧。"),
        Example("這是繁體中文，ＡＢＣ１２３。", {"script": "simplified", "parts": ["tokens"]}),
        Example("Frее mоney!!! 👍", {"emoji": "name", "case": "lower"}),
    )

    def encode(self, item: str, options: PreprocessingOptions) -> PreprocessingInput:
        """Clean the text, all but case and script, and settle its language."""
        text = clean(item, options)
        language = options.language or detect_language(text)
        parts = tuple(part for part in PARTS if part in options.parts)
        return PreprocessingInput(text, language, options.script == "simplified", parts)

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: PreprocessingOptions
    ) -> PreprocessingOutput:
        """Name what the engine found, in the case that was asked for."""
        text: str = raw["text"]
        if options.case == "lower":
            text = steps.lower_in_place(text)
        sentences, tokens = raw.get("sentences"), raw.get("tokens")
        if tokens is not None:
            tags = raw.get("tags") or [None] * len(tokens)
            tokens = [
                Token(text=text[start:end], start=start, end=end, upos=tag)
                for (start, end), tag in zip(tokens, tags, strict=True)
            ]
        if sentences is not None:
            sentences = [Sentence(start=start, end=end) for start, end in sentences]
        return PreprocessingOutput(
            text=text, language=model_input.language, sentences=sentences, tokens=tokens
        )


def clean(text: str, options: PreprocessingOptions) -> str:
    """Apply every step of ``options`` but case and script.

    >>> clean("<b>Ｈｉ</b>\u200b  pаl 👍", PreprocessingOptions(emoji="remove"))
    'Hi pal'
    """
    if options.html == "strip":
        text = steps.strip_html(text)
    if options.zero_width == "remove":
        text = steps.remove_invisible(text)
    if options.emoji == "remove":
        text = steps.remove_emoji(text)
    elif options.emoji == "name":
        text = steps.name_emoji(text)
    if options.full_width != "keep":
        narrow = steps.narrow_all if options.full_width == "all" else steps.narrow_letters
        text = narrow(text)
    if options.homoglyphs == "replace":
        text = steps.replace_homoglyphs(text)
    return steps.tidy_spaces(text)
