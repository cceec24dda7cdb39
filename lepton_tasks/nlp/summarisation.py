"""Summaries of a text's own sentences or in new words, in English or Chinese."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions
from lepton_tasks.nlp.clean import clean_text
from lepton_tasks.nlp.generating import GenerationInput, GenerationSpec
from lepton_tasks.nlp.language import Language, detect_language
from lepton_tasks.nlp.sentences import Span, split_sentences

DEFAULT_SENTENCES: Final = 3
ABSTRACTIVE: Final[Mapping[str, str]] = {"en": "bart-large-cnn", "zh": "mt5-xlsum"}
"""Catalogue name, by language, of the model that writes an abstractive summary."""
_TOKENS_A_SENTENCE: Final = 48
_LEAST_TOKENS: Final = 16
_FIRST_WIDE: Final = "\u2e80"
"""From here on scripts are written without spaces between sentences."""


Kind = Literal["extractive", "abstractive"]


class SummarisationOptions(TaskOptions):
    """How long a summary is to be: ``sentences``, or a ``ratio`` of the text's, three if neither.

    ``max_characters`` is a limit beside it: sentences that do not fit are left out, the
    best that do are taken. ``kind`` ``abstractive`` asks for new words, by an encoder-decoder
    model: ``bart-large-cnn``, for ``language`` ``zh`` ``mt5-xlsum``, or the ``model`` that is
    named. None of these is shipped: `lepton models pull` fetches them. The same options limit
    what such a model writes; without any, it is as long as the model makes it.
    """

    language: Language | None = None
    kind: Kind = "extractive"
    sentences: int | None = Field(default=None, ge=1, le=100)
    ratio: float | None = Field(default=None, gt=0.0, le=1.0)
    max_characters: int | None = Field(default=None, ge=1)

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

    An abstractive one is made of none. ``sentences_in_text`` is how many there were to choose
    from. The summary is empty where no sentence fits into ``max_characters``. ``language`` is
    ``en``, ``zh``, or ``und`` for a text in neither, for which the English model is used.
    ``truncated`` says that an abstractive model read the beginning of the text alone;
    ``finish_reason`` is ``length`` where its summary was ended at its greatest length.
    """

    model_config = ConfigDict(extra="forbid")

    summary: str
    kind: Kind
    sentences: list[SummarySentence]
    sentences_in_text: int
    language: str
    truncated: bool = False
    finish_reason: Literal["stop", "length"] = "stop"


@dataclass(frozen=True, slots=True)
class SentencesInput(ModelInput):
    """A text as it was sent, and where its sentences are."""

    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class AbstractInput(GenerationInput):
    """A cleaned text, how long its summary may become in tokens, and how many sentences it has."""

    sentences: int = 0


class Summarisation(Task[SummarisationOptions, SummarisationOutput]):
    """Summarise one text.

    An extractive engine's raw result has ``scores``, one a sentence; an abstractive one's is
    a GeneratedText.
    """

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

    def model_of(self, options: SummarisationOptions) -> str | None:
        """An abstractive summary has models of its own, one a language."""
        if options.model is None and options.kind == "abstractive":
            return ABSTRACTIVE[options.language or "en"]
        return options.model

    def encode(self, item: str, options: SummarisationOptions) -> SentencesInput | AbstractInput:
        """Find the sentences; the text stays as it is where spans point into it.

        Raises:
            InvalidInput: the text is in another language than the abstractive model.
        """
        cleaned = clean_text(item)
        language = options.language or detect_language(cleaned)
        spans = tuple(split_sentences(item))
        if options.kind == "extractive":
            return SentencesInput(item, language, spans)
        if options.model is None and options.language is None and language == "zh":
            raise InvalidInput(
                "the text was found to be in Chinese: send the option language 'zh', which "
                f"chooses the model {ABSTRACTIVE['zh']!r}, or name a `model`",
                "language",
                "unsupported_language",
            )
        most = most_tokens(cleaned, language, len(spans), options)
        return AbstractInput(
            cleaned, language, GenerationSpec(max_new_tokens=most, beams=0), len(spans)
        )

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: SummarisationOptions
    ) -> SummarisationOutput:
        """Take the best-scored sentences that the options allow, in their order.

        Raises:
            InvalidInput: the model that was named makes summaries of the other kind.
        """
        wanted = "text" if isinstance(model_input, AbstractInput) else "scores"
        if wanted not in raw:
            raise other_kind(options.kind)
        if isinstance(model_input, AbstractInput):
            return _written(raw, model_input, options)
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


def other_kind(kind: Kind) -> InvalidInput:
    """The error of a job whose ``model`` does not make summaries of the ``kind`` asked for."""
    return InvalidInput(
        f"the model that was named makes no {kind} summaries; name another, or leave `model` out",
        "model",
        "unsupported_kind",
    )


def most_tokens(text: str, language: str, sentences: int, options: SummarisationOptions) -> int:
    """New tokens that the length ``options`` ask for come to at most; 0 where they ask nothing.

    >>> most_tokens("word " * 200, "en", 20, SummarisationOptions(sentences=2))
    112
    >>> most_tokens("字" * 300, "zh", 10, SummarisationOptions(ratio=0.5, max_characters=50))
    80
    >>> most_tokens("word " * 200, "en", 20, SummarisationOptions())
    0
    """
    characters_a_token = 1 if language == "zh" else 3
    limits: list[int] = []
    if options.ratio is not None:
        limits.append(round(options.ratio * max(len(text), 1) / characters_a_token))
    if options.sentences is not None:
        limits.append(options.sentences * _TOKENS_A_SENTENCE)
    if options.max_characters is not None:
        limits.append(-(-options.max_characters // characters_a_token))
    if not limits:
        return 0
    return _LEAST_TOKENS * (1 + -(-min(limits) // _LEAST_TOKENS))


def _written(
    raw: Mapping[str, Any], model_input: AbstractInput, options: SummarisationOptions
) -> SummarisationOutput:
    """As many of the sentences that a model wrote, from the first on, as the options allow."""
    text = str(raw["text"])
    wanted = options.sentences
    if options.ratio is not None:
        wanted = max(1, round(options.ratio * model_input.sentences))
    spans = split_sentences(text)
    kept = spans[:wanted]
    while kept and kept[-1][1] - kept[0][0] > (options.max_characters or len(text)):
        kept.pop()
    return SummarisationOutput(
        summary=text[kept[0][0] : kept[-1][1]] if kept else "",
        kind="abstractive",
        sentences=[],
        sentences_in_text=model_input.sentences,
        language=model_input.language,
        truncated=bool(raw["truncated"]),
        finish_reason=raw["finish_reason"] if len(kept) == len(spans) else "stop",
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
