"""Answers to a question that stand in a given context, in English or Chinese."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from lepton_tasks.nlp.base import Example, ModelInput, TaskItem
from lepton_tasks.nlp.clean import clean_text
from lepton_tasks.nlp.language import UNDETERMINED, Language, detect_language
from lepton_tasks.nlp.retrieval import CorpusOptions, CorpusTask, FoundPassage, Lookup
from lepton_tasks.nlp.sentences import Span, split_sentences

DEFAULT_NO_ANSWER_BELOW: Final = 0.3
_LONGEST_QUESTION: Final = 1_000
_PASSAGES: Final = 8
"""Passages of a corpus in which an answer is looked for."""
_BETWEEN: Final = "\n\n"
_NOTHING: Final = "."
"""What is read where a corpus has no passage that shares a word with the question."""


class QuestionItem(TaskItem):
    """A question, and the text in which its answer is looked for.

    With the option ``corpus`` there is no ``context``: the likeliest passages of its
    documents are read.
    """

    question: Annotated[str, Field(min_length=1, max_length=_LONGEST_QUESTION)]
    context: str | None = None


class QuestionAnsweringOptions(CorpusOptions):
    """``no_answer_below`` is the score under which the context is said to hold no answer.

    At 0 there always is one. Scores of different models should not be compared. ``corpus``
    names a corpus of yours in which the answer is looked for.
    """

    language: Language | None = None
    no_answer_below: Annotated[float, Field(ge=0.0, le=1.0)] = DEFAULT_NO_ANSWER_BELOW


class Passage(BaseModel):
    """A part of the context: ``text`` is ``context[start:end]``, in characters."""

    model_config = ConfigDict(extra="forbid")

    text: str
    start: int
    end: int


class QuestionAnsweringOutput(BaseModel):
    """The answer, where it stands, and the sentence around it; all null where there is none.

    ``answer`` is ``context[start:end]`` of the context that was sent. ``score``, 0 to 1, is
    the model's trust that the context answers the question there. ``windows`` is how many
    pieces of the context the model read one at a time; nothing of it is left out.
    ``language`` is that of the context: ``en``, ``zh``, or ``und`` for neither, which the
    English model reads.

    With a corpus, ``document`` is the id of the document in which the answer stands, and
    ``start`` and ``end`` are places in that.
    """

    model_config = ConfigDict(extra="forbid")

    answer: str | None
    start: int | None
    end: int | None
    score: float
    sentence: Passage | None
    windows: int
    language: str
    document: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Characters ``start`` to ``end`` of a context are those of ``document`` from ``first`` on."""

    document: str
    first: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class QuestionInput(ModelInput):
    """A context as it was sent (``text``), where its sentences are, and what is asked.

    Where it was put together of passages from a corpus, ``places`` says whose they are.
    """

    question: str = ""
    spans: tuple[Span, ...] = ()
    places: tuple[Place, ...] = ()


class QuestionAnswering(CorpusTask[QuestionAnsweringOptions, QuestionAnsweringOutput]):
    """Find the answer to one question.

    The engine's raw result has ``start`` and ``end`` in the context, equal where it found
    no answer, ``score`` and ``windows``.
    """

    name = "question-answering"
    summary = "Find the answer to a question in a context, in English or Chinese, or say none is."
    engine = "answer-finder"
    item_model = QuestionItem
    from_corpus = "context"
    options_model = QuestionAnsweringOptions
    output_model = QuestionAnsweringOutput
    examples = (
        Example(
            {
                "question": "When was the bridge built?",
                "context": "The town lies on two hills. The bridge between them was built in 1871 "
                "by John Miller. It is forty metres long.",
            }
        ),
        Example(
            {
                "question": "图书馆是哪一年开放的？",
                "context": "这座小城有两万居民。图书馆于1904年开放，藏书六万册。每周一闭馆。",
            },
            {"no_answer_below": 0.0},
        ),
        Example(
            {
                "question": "Who won the chess tournament?",
                "context": "Boil the water first. Then add the noodles.",
            },
            {"no_answer_below": 1.0},
        ),
    )

    def encode(self, item: QuestionItem, options: QuestionAnsweringOptions) -> QuestionInput:
        """Find the context's sentences; it stays as it is, since spans point into it."""
        context = item.context or ""
        language = options.language or detect_language(clean_text(context))
        spans = tuple(split_sentences(context))
        return QuestionInput(context, language, item.question, spans)

    def lookup(self, item: QuestionItem, options: QuestionAnsweringOptions) -> Lookup | None:
        """Passages that share words with the question."""
        if options.corpus is None:
            return None
        return Lookup(options.corpus, item.question, _PASSAGES)

    def encode_found(
        self,
        item: QuestionItem,
        found: Sequence[FoundPassage],
        options: QuestionAnsweringOptions,
    ) -> QuestionInput:
        """Put the passages together to one context; no sentence runs from one into the next."""
        parts: list[str] = []
        places: list[Place] = []
        spans: list[Span] = []
        at = 0
        for one in found:
            places.append(Place(one.document, one.start, at, at + len(one.text)))
            spans += [(at + start, at + end) for start, end in split_sentences(one.text)]
            parts.append(one.text)
            at += len(one.text) + len(_BETWEEN)
        context = _BETWEEN.join(parts) if parts else _NOTHING
        language = options.language or detect_language(clean_text(item.question))
        if language == UNDETERMINED:
            language = detect_language(clean_text(context))
        return QuestionInput(
            context,
            language,
            item.question,
            tuple(spans) or tuple(split_sentences(context)),
            tuple(places),
        )

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: QuestionAnsweringOptions
    ) -> QuestionAnsweringOutput:
        """Read the answer off the context, or say that there is none."""
        if not isinstance(model_input, QuestionInput):
            raise TypeError(f"question-answering decodes QuestionInput, not {type(model_input)}")
        start, end, score = int(raw["start"]), int(raw["end"]), float(raw["score"])
        found = start < end and score >= options.no_answer_below
        text, shift, document = model_input.text, 0, None
        if options.corpus is not None:
            place = next((one for one in model_input.places if one.start <= start < one.end), None)
            found = found and place is not None
            if place is not None:
                end, shift = min(end, place.end), place.first - place.start
                document = place.document if found else None
        sentence = _around(text, model_input.spans, start, end) if found else None
        if sentence is not None:
            moved = {"start": sentence.start + shift, "end": sentence.end + shift}
            sentence = sentence.model_copy(update=moved)
        return QuestionAnsweringOutput(
            answer=text[start:end] if found else None,
            start=start + shift if found else None,
            end=end + shift if found else None,
            score=score,
            sentence=sentence,
            windows=int(raw["windows"]),
            language=model_input.language,
            document=document,
        )


def _around(text: str, spans: tuple[Span, ...], start: int, end: int) -> Passage:
    """The sentence in which ``start`` to ``end`` stands, or all sentences that it runs through."""
    touched = [span for span in spans if span[0] < end and start < span[1]]
    left = min([start, *(span[0] for span in touched)])
    right = max([end, *(span[1] for span in touched)])
    return Passage(text=text[left:right], start=left, end=right)
