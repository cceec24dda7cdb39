"""Summaries made of a text's own sentences, in English or Chinese."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions
from lepton_tasks.nlp.clean import clean_text
from lepton_tasks.nlp.language import Language, detect_language
from lepton_tasks.nlp.sentences import Span, split_sentences

DEFAULT_SENTENCES: Final = 3
_FIRST_WIDE: Final = "\u2e80"
"""From here on scripts are written without spaces between sentences."""


class SummarisationOptions(TaskOptions):
    """How long a summary is to be: ``sentences``, or a ``ratio`` of the text's, three if neither.

    ``max_characters`` is a limit beside it: sentences that do not fit are left out, the
    best that do are taken.
    """

    language: Language | None = None
    kind: Literal["extractive"] = "extractive"
    sentences: int | None = Field(default=None, ge=1, le=100)
    ratio: float | None = Field(default=None, gt=0.0, le=1.0)
    max_characters: int | None = Field(default=None, ge=1)

    @field_validator("kind", mode="before")
    @classmethod
    def _kind_has_a_model(cls, value: object) -> object:
        if value == "abstractive":
            raise ValueError(
                "abstractive summaries, in new words, are not served yet; "
                "use 'extractive', which picks sentences of the text"
            )
        return value

    @model_validator(mode="after")
    def _one_length(self) -> SummarisationOptions:
        if self.sentences is not None and self.ratio is not None:
            raise ValueError("sentences and ratio exclude each other; leave one out")
        return self


class SummarySentence(BaseModel):
    """A sentence of the summary: where it stands in the text that was sent, how telling it is.

    ``text`` is ``input[start:end]``. Scores of a text's sentences, those left out included,
    add up to 1.
    """

    model_config = ConfigDict(extra="forbid")

    text: str
    start: int
    end: int
    score: float


class SummarisationOutput(BaseModel):
    """The summary, and the sentences that it is made of in the order of the text.

    ``sentences_in_text`` is how many there were to choose from. The summary is empty where
    no sentence fits into ``max_characters``. ``language`` is ``en``, ``zh``, or ``und`` for
    a text in neither, for which the English model is used.
    """

    model_config = ConfigDict(extra="forbid")

    summary: str
    kind: Literal["extractive"]
    sentences: list[SummarySentence]
    sentences_in_text: int
    language: str


@dataclass(frozen=True, slots=True)
class SentencesInput(ModelInput):
    """A text as it was sent, and where its sentences are."""

    spans: tuple[Span, ...] = ()


class Summarisation(Task[SummarisationOptions, SummarisationOutput]):
    """Summarise one text. The engine's raw result has ``scores``, one a sentence."""

    name = "summarisation"
    summary = "Summarise a text in English or Chinese by its own most telling sentences."
    engine = "sentence-picker"
    options_model = SummarisationOptions
    output_model = SummarisationOutput
    examples = (
        Example(
            "The library opened in 1904. It has been closed since the flood in March. "
            "This week the council decided to repair the roof and the reading room. "
            "Work begins in May and will cost two million pounds. Some residents are glad.",
            {"sentences": 2},
        ),
        Example(
            "随着城市人口增长,公园的绿地越来越少。本文提出一种根据步行距离安排绿地的方法。"
            "结果表明,居民到最近绿地的时间平均缩短了四分钟。今后还要研究老人的需要。",
            {"ratio": 0.5, "max_characters": 60},
        ),
    )

    def encode(self, item: str, options: SummarisationOptions) -> SentencesInput:
        """Find the sentences; the text stays as it is, since spans point into it."""
        language = options.language or detect_language(clean_text(item))
        return SentencesInput(item, language, tuple(split_sentences(item)))

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: SummarisationOptions
    ) -> SummarisationOutput:
        """Take the best-scored sentences that the options allow, in their order."""
        if not isinstance(model_input, SentencesInput):
            raise TypeError(f"summarisation decodes SentencesInput, not {type(model_input)}")
        spans, text = model_input.spans, model_input.text
        scores = [float(score) for score in raw["scores"]]
        parts = [text[start:end] for start, end in spans]
        chosen = choose_sentences(parts, scores, options)
        return SummarisationOutput(
            summary=join_sentences([parts[place] for place in chosen]),
            kind="extractive",
            sentences=[
                SummarySentence(
                    text=parts[place],
                    start=spans[place][0],
                    end=spans[place][1],
                    score=scores[place],
                )
                for place in chosen
            ],
            sentences_in_text=len(spans),
            language=model_input.language,
        )


def choose_sentences(
    parts: Sequence[str], scores: Sequence[float], options: SummarisationOptions
) -> list[int]:
    """Places, in order, of the best of ``parts`` within the length that ``options`` give.

    A sentence that the text repeats is taken once; of equal scores the earlier counts more.

    >>> parts, scores = ["One.", "Two two.", "Three.", "one."], [0.2, 0.3, 0.1, 0.4]
    >>> choose_sentences(parts, scores, SummarisationOptions(sentences=3))
    [1, 2, 3]
    >>> choose_sentences(parts, scores, SummarisationOptions(max_characters=11))
    [2, 3]
    """
    wanted = options.sentences or DEFAULT_SENTENCES
    if options.ratio is not None:
        wanted = max(1, round(options.ratio * len(parts)))
    chosen: list[int] = []
    taken: set[str] = set()
    size = 0
    for place in sorted(range(len(parts)), key=lambda place: -scores[place]):
        if len(chosen) == wanted:
            break
        at = bisect(chosen, place)
        near = [parts[one] for one in chosen[max(0, at - 1) : at + 1]]
        around = [*near[: min(at, 1)], parts[place], *near[min(at, 1) :]]
        grown = size + len(join_sentences(around)) - len(join_sentences(near))
        folded = parts[place].casefold()
        if folded in taken or grown > (options.max_characters or grown):
            continue
        chosen.insert(at, place)
        taken.add(folded)
        size = grown
    return chosen


def join_sentences(parts: Sequence[str]) -> str:
    """Write sentences one after the other, with a space where their script has one.

    >>> join_sentences(["One.", "Two."]), join_sentences(["一。", "Two.", "三。"])
    ('One. Two.', '一。Two.三。')
    """
    spaces = [" " if max(a[-1], b[0]) < _FIRST_WIDE else "" for a, b in pairwise(parts)]
    return "".join(part + space for part, space in zip(parts, [*spaces, ""], strict=False))
