"""Similarity: how alike two texts are in meaning, or what of one is copied from the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from lepton_tasks.nlp.base import Example, ModelInput, TaskItem
from lepton_tasks.nlp.comparing import TextsInput, clean_input
from lepton_tasks.nlp.language import UNDETERMINED, Language
from lepton_tasks.nlp.retrieval import CorpusOptions, CorpusTask, FoundPassage, Lookup

_CANDIDATES: Final = 20
"""Documents of a corpus that are compared, or twice as many as are wanted."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Pair(TaskItem):
    """Two texts. For an overlap, ``text`` is the one that may hold copied passages of ``other``.

    With the option ``corpus`` there is no ``other``: the text is compared with the documents
    of the corpus.
    """

    text: str
    other: str | None = None


class SimilarityOptions(CorpusOptions):
    """What is compared: ``meaning``, or the wording (``overlap``), which finds copied passages.

    ``corpus`` names a corpus of yours in which the nearest documents are looked for, or
    those from which the text is copied; at most ``top`` of them are told.
    """

    language: Language | None = None
    mode: Literal["meaning", "overlap"] = "meaning"
    top: Annotated[int, Field(ge=1, le=50)] = 10


class Passage(BaseModel):
    """Characters ``start`` to ``end`` (exclusive) of a text as it was sent."""

    model_config = ConfigDict(extra="forbid")

    start: int
    end: int


class CopiedPassage(BaseModel):
    """Where a passage stands in both texts."""

    model_config = ConfigDict(extra="forbid")

    text: Passage
    other: Passage


class FoundDocument(BaseModel):
    """A document of the corpus, by its id.

    For its meaning, ``score`` is that of its nearest passage, from ``start`` to ``end`` of
    the document. For its wording, ``copied_share`` is what of the text stands also in this
    document, and ``copied`` says where.
    """

    model_config = ConfigDict(extra="forbid")

    document: str
    score: Share | None = None
    start: int | None = None
    end: int | None = None
    copied_share: Share | None = None
    copied: list[CopiedPassage] | None = None


class SimilarityOutput(BaseModel):
    """How alike the texts are.

    In the mode ``meaning``, ``score`` is 0 to 1, and 1 for texts that are the same. It is
    null where the model cannot compare the two, and ``problem`` says why. ``truncated``
    says that the model read only the beginning of one of them.

    In the mode ``overlap``, ``copied_share`` is the share of ``text``, by its words and
    characters without spaces and punctuation, that also stands in ``other``, and
    ``copied`` are the passages, in the order of ``text``. A passage may hold a few words
    that were edited; these do not count towards the share.

    With a corpus, ``documents`` are the nearest, or those from which something is copied,
    the best first, and ``copied_share`` is what stands in any of those that were compared.
    """

    model_config = ConfigDict(extra="forbid")

    mode: Literal["meaning", "overlap"]
    language: str
    other_language: str | None
    score: Share | None = None
    problem: str | None = None
    truncated: bool = False
    copied_share: Share | None = None
    copied: list[CopiedPassage] | None = None
    documents: list[FoundDocument] | None = None


@dataclass(frozen=True, slots=True)
class PairInput(TextsInput):
    """Two texts, as they came where ``verbatim`` asks for their overlap, else cleaned."""

    verbatim: bool = False


@dataclass(frozen=True, slots=True)
class AmongInput(TextsInput):
    """A text, and passages of documents (``others``), with the document and place of each."""

    verbatim: bool = False
    places: tuple[tuple[str, int, int], ...] = ()


class Similarity(CorpusTask[SimilarityOptions, SimilarityOutput]):
    """Compare two texts of one language, or a text with documents.

    The engine's raw result holds ``score`` (None if it cannot compare them) and
    ``truncated``, or for an overlap ``share`` and ``matches``, pairs of spans. Of an
    AmongInput it holds ``scores`` and ``truncated``, or ``share`` and ``overlaps``.
    """

    name = "similarity"
    summary = "Say how alike two texts in English or Chinese are, or which passages are copied."
    engine = "pair-comparer"
    item_model = Pair
    from_corpus = "other"
    options_model = SimilarityOptions
    output_model = SimilarityOutput
    max_characters = 40_000
    max_bytes = 128 * 1024
    examples = (
        Example({"text": "A man is playing a guitar.", "other": "Someone plays the guitar."}),
        Example({"text": "一个男人在弹吉他。", "other": "有人正在彈吉他。"}),
        Example(
            {
                "text": "As they say: the parcel arrived on Monday, and all of it was whole.",
                "other": "The parcel arrived on Tuesday, and all of it was whole.",
            },
            {"mode": "overlap"},
        ),
        Example(
            {
                "text": "据说图书馆早上八点开门，周日不休息。",
                "other": "图书馆早上八点开门，周日休息。",
            },
            {"mode": "overlap"},
        ),
    )

    def encode(self, item: Pair, options: SimilarityOptions) -> PairInput:
        """Settle the languages, the option's or each text's own, and clean what is not verbatim."""
        second = item.other or ""
        text, other = _one_language(
            *(clean_input(one, options.language) for one in (item.text, second))
        )
        if options.mode == "overlap":
            original = ModelInput(second, other.language)
            return PairInput(item.text, text.language, (original,), verbatim=True)
        return PairInput(text.text, text.language, (other,))

    def lookup(self, item: Pair, options: SimilarityOptions) -> Lookup | None:
        """Documents that share words with the text, or passages that look copied."""
        if options.corpus is None:
            return None
        most = max(_CANDIDATES, 2 * options.top)
        if options.mode == "overlap":
            return Lookup(options.corpus, item.text, most, by="wording")
        return Lookup(options.corpus, item.text, most, one_each=True)

    def encode_found(
        self, item: Pair, found: Sequence[FoundPassage], options: SimilarityOptions
    ) -> AmongInput:
        """The text beside each passage, cleaned unless their wording is compared."""
        places = tuple((one.document, one.start, one.start + len(one.text)) for one in found)
        text = clean_input(item.text, options.language)
        if options.mode == "overlap":
            others = tuple(ModelInput(one.text, text.language) for one in found)
            return AmongInput(item.text, text.language, others, verbatim=True, places=places)
        pairs = [_one_language(text, clean_input(one.text, options.language)) for one in found]
        return AmongInput(
            text.text, text.language, tuple(other for _, other in pairs), places=places
        )

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: SimilarityOptions
    ) -> SimilarityOutput:
        """Say what was found, and where a pair cannot be compared, why."""
        if isinstance(model_input, AmongInput):
            return _among(raw, model_input, options)
        languages = [model_input.language, model_input.language]
        if isinstance(model_input, TextsInput):
            languages[1] = model_input.others[0].language
        output = SimilarityOutput(
            mode=options.mode, language=languages[0], other_language=languages[1]
        )
        if options.mode == "overlap":
            copied = [
                CopiedPassage(text=_passage(text), other=_passage(other))
                for text, other in raw["matches"]
            ]
            return output.model_copy(update={"copied_share": raw["share"], "copied": copied})
        problem = None
        if raw["score"] is None:
            problem = (
                f"the texts are in different languages ({', '.join(languages)}), which this model "
                "cannot compare; if they are not, name their language in the option `language`"
            )
        return output.model_copy(
            update={"score": raw["score"], "problem": problem, "truncated": raw["truncated"]}
        )


def _among(
    raw: Mapping[str, Any], model_input: AmongInput, options: SimilarityOptions
) -> SimilarityOutput:
    """The documents that were found, the nearest or the most copied first."""
    output = SimilarityOutput(mode=options.mode, language=model_input.language, other_language=None)
    if options.mode == "overlap":
        copied = [
            FoundDocument(
                document=name,
                copied_share=one["share"],
                copied=[
                    CopiedPassage(
                        text=_passage(text), other=_passage((start + other[0], start + other[1]))
                    )
                    for text, other in one["matches"]
                ],
            )
            for one, (name, start, _) in zip(raw["overlaps"], model_input.places, strict=True)
            if one["share"] > 0
        ]
        copied.sort(key=lambda one: -(one.copied_share or 0.0))
        return output.model_copy(
            update={"copied_share": raw["share"], "documents": copied[: options.top]}
        )
    near = [
        FoundDocument(document=name, score=score, start=start, end=end)
        for score, (name, start, end) in zip(raw["scores"], model_input.places, strict=True)
        if score is not None
    ]
    near.sort(key=lambda one: -(one.score or 0.0))
    return output.model_copy(
        update={"truncated": raw["truncated"], "documents": near[: options.top]}
    )


def _passage(span: tuple[int, int]) -> Passage:
    return Passage(start=span[0], end=span[1])


def _one_language(text: ModelInput, other: ModelInput) -> tuple[ModelInput, ModelInput]:
    """Let a text without any letter, a number say, be in the language of the other."""
    for mine, theirs in ((text, other), (other, text)):
        if mine.language == UNDETERMINED and not any(map(str.isalpha, mine.text)):
            ours = ModelInput(mine.text, theirs.language)
            return (ours, theirs) if mine is text else (theirs, ours)
    return text, other
