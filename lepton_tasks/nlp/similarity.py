"""Similarity: how alike two texts are in meaning, or what of one is copied from the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskItem, TaskOptions
from lepton_tasks.nlp.comparing import TextsInput, clean_input
from lepton_tasks.nlp.language import UNDETERMINED, Language

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Pair(TaskItem):
    """Two texts. For an overlap, ``text`` is the one that may hold copied passages of ``other``."""

    text: str
    other: str


class SimilarityOptions(TaskOptions):
    """What is compared: ``meaning``, or the wording (``overlap``), which finds copied passages."""

    language: Language | None = None
    mode: Literal["meaning", "overlap"] = "meaning"


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


class SimilarityOutput(BaseModel):
    """How alike the texts are.

    In the mode ``meaning``, ``score`` is 0 to 1, and 1 for texts that are the same. It is
    null where the model cannot compare the two, and ``problem`` says why. ``truncated``
    says that the model read only the beginning of one of them.

    In the mode ``overlap``, ``copied_share`` is the share of ``text``, by its words and
    characters without spaces and punctuation, that also stands in ``other``, and
    ``copied`` are the passages, in the order of ``text``. A passage may hold a few words
    that were edited; these do not count towards the share.
    """

    model_config = ConfigDict(extra="forbid")

    mode: Literal["meaning", "overlap"]
    language: str
    other_language: str
    score: Share | None = None
    problem: str | None = None
    truncated: bool = False
    copied_share: Share | None = None
    copied: list[CopiedPassage] | None = None


@dataclass(frozen=True, slots=True)
class PairInput(TextsInput):
    """Two texts, as they came where ``verbatim`` asks for their overlap, else cleaned."""

    verbatim: bool = False


class Similarity(Task[SimilarityOptions, SimilarityOutput]):
    """Compare two texts of one language.

    The engine's raw result holds ``score`` (None if it cannot compare them) and
    ``truncated``, or for an overlap ``share`` and ``matches``, pairs of spans.
    """

    name = "similarity"
    summary = "Say how alike two texts in English or Chinese are, or which passages are copied."
    engine = "pair-comparer"
    item_model = Pair
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
        text, other = _one_language(
            *(clean_input(one, options.language) for one in (item.text, item.other))
        )
        if options.mode == "overlap":
            original = ModelInput(item.other, other.language)
            return PairInput(item.text, text.language, (original,), verbatim=True)
        return PairInput(text.text, text.language, (other,))

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: SimilarityOptions
    ) -> SimilarityOutput:
        """Say what was found, and where a pair cannot be compared, why."""
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


def _passage(span: tuple[int, int]) -> Passage:
    return Passage(start=span[0], end=span[1])


def _one_language(text: ModelInput, other: ModelInput) -> tuple[ModelInput, ModelInput]:
    """Let a text without any letter, a number say, be in the language of the other."""
    for mine, theirs in ((text, other), (other, text)):
        if mine.language == UNDETERMINED and not any(map(str.isalpha, mine.text)):
            ours = ModelInput(mine.text, theirs.language)
            return (ours, theirs) if mine is text else (theirs, ours)
    return text, other
