"""Train the default finder of answers: ``python -m workers.training.question_answering``."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors.torch import save

from lepton_tasks.nlp.question_answering import (
    QuestionAnswering,
    QuestionAnsweringOptions,
    QuestionInput,
    QuestionItem,
)
from workers.engines.encoder import SentenceEncoder
from workers.engines.finding import LAYOUT, TRUST, FinderWeights, find_answer
from workers.engines.folder import CONFIG, WEIGHTS
from workers.features.answers import MOST_WORDS, sentence_words
from workers.features.han import simplified_characters
from workers.features.questions import add_cosines, prepared, question_features, terms
from workers.training.answer_spans import Answered, fit_spans
from workers.training.command import training_parser
from workers.training.datasets import DataMissing, DataSet, Row, require
from workers.training.listwise import Floats, fit_listwise
from workers.training.vectors import default_encoder, encode_all

_FIELDS = '{"question": …, "context": …, "answers": [{"text": …, "start": …}]}'
XQUAD = DataSet("qa_xquad_en", "https://github.com/google-deepmind/xquad", "CC BY-SA 4.0", _FIELDS)
CMRC = DataSet("qa_cmrc_zh", "https://github.com/ymcui/cmrc2018", "CC BY-SA 4.0", _FIELDS)
SOURCES: Final[Mapping[str, DataSet]] = {"en": XQUAD, "zh": CMRC}
ENCODED_LANGUAGES: Final = frozenset({"en"})

DEFAULT_OUT = Path(__file__).parent.parent / "models" / "question-answering"
FACTS = {"task": "question-answering", "engine": "answer-finder", "fallback_language": "en"}
_SENTENCE_STRENGTH: Final = 3.0
_SPAN_STRENGTH: Final[Mapping[str, float]] = {"en": 10.0, "zh": 3.0}
_TRUST_STRENGTH: Final = 1.0
_FOREIGN: Final = 8
"""Foreign contexts among which the one most like the question is taken as having no answer."""


@dataclass(frozen=True, slots=True)
class Case:
    """A question as the engine sees it, and the sentences that hold a marked answer."""

    asked: QuestionInput
    question: str
    features: np.ndarray[Any, np.dtype[np.float32]]
    answers: tuple[tuple[int, int], ...]

    @property
    def holding(self) -> list[int]:
        """Places of the sentences in which an answer begins."""
        starts = {start for start, _ in self.answers}
        return [
            place
            for place, (first, last) in enumerate(self.asked.spans)
            if any(first <= start < last for start in starts)
        ]


def asking(rows: Sequence[Row]) -> list[Row]:
    """The rows that do ask something; a few of the sets have an empty question."""
    return [row for row in rows if row["question"].strip()]


def make_cases(
    rows: Sequence[Row],
    language: str,
    encoder: SentenceEncoder | None,
    simplified: Mapping[int, str],
) -> list[Case]:
    """Cases of ``rows``; with an encoder, its cosines are among the features."""
    task, options = QuestionAnswering(), QuestionAnsweringOptions(language=language)
    cases, sentences_of = [], []
    for row in rows:
        item = QuestionItem(question=row["question"], context=row["context"])
        asked = task.encode(item, options)
        question = prepared(asked.question, simplified)
        sentences = [prepared(asked.text[start:end], simplified) for start, end in asked.spans]
        answers = tuple(
            (one["start"], one["start"] + len(one["text"])) for one in row.get("answers", [])
        )
        features = question_features(question, sentences, language == "zh")
        cases.append(Case(asked, question, features, answers))
        sentences_of.append(sentences)
    if encoder is None:
        return cases
    texts = sorted({text for part in sentences_of for text in part} | {c.question for c in cases})
    found = encode_all(encoder, texts, None, lambda done, total: None)
    vectors = dict(zip(texts, found, strict=True))
    return [
        Case(
            case.asked,
            case.question,
            add_cosines(
                case.features,
                np.stack([vectors[one] for one in sentences]) @ vectors[case.question],
            ),
            case.answers,
        )
        for case, sentences in zip(cases, sentences_of, strict=True)
    ]


def train(
    rows: Sequence[Row],
    language: str,
    encoder: SentenceEncoder | None,
    simplified: Mapping[int, str],
    seed: int,
) -> FinderWeights:
    """Fit the three models of one language: sentence, span, trust."""
    chinese = language == "zh"
    cases = make_cases(rows, language, encoder, simplified)
    sentence = _fit_sentence(cases)
    spans = fit_spans(list(_answered(cases, chinese, simplified)), _SPAN_STRENGTH[language])
    weights = FinderWeights(sentence, spans, np.zeros(len(TRUST)), encoder is not None)
    foreign = make_cases(list(foreign_rows(rows, chinese, seed)), language, encoder, simplified)
    lists, targets = [], []
    for case in (*cases, *foreign):
        place, *_, seen = find_answer(
            case.asked, case.question, case.features, weights, chinese, simplified
        )
        right = float(place in case.holding)
        lists.append(np.stack([seen, np.zeros(len(TRUST))]))
        targets.append(np.array([right, 1.0 - right]))
    trust = fit_listwise(lists, targets, _TRUST_STRENGTH)
    return FinderWeights(sentence, spans, trust, encoder is not None)


def foreign_rows(rows: Sequence[Row], chinese: bool, seed: int) -> Iterator[Row]:
    """Each question with a context that is not its own, of a few drawn the one most like it."""
    draw = random.Random(seed)
    contexts = sorted({row["context"] for row in rows})
    bags = {context: terms(context, chinese) for context in contexts}
    for row in rows:
        asked = terms(row["question"], chinese)
        others = [one for one in draw.choices(contexts, k=_FOREIGN) if one != row["context"]]
        if others:
            nearest = max(others, key=lambda one: len(bags[one] & asked))
            yield {"question": row["question"], "context": nearest}


def _fit_sentence(cases: Sequence[Case]) -> Floats:
    lists, targets = [], []
    for case in cases:
        holding = case.holding
        if not holding or len(case.features) < 2:
            continue
        target = np.zeros(len(case.features))
        target[holding] = 1.0 / len(holding)
        lists.append(case.features.astype(np.float64))
        targets.append(target)
    return fit_listwise(lists, targets, _SENTENCE_STRENGTH)


def _answered(
    cases: Sequence[Case], chinese: bool, simplified: Mapping[int, str]
) -> Iterator[Answered]:
    """Sentences with their first marked answer, where it is short enough and within one."""
    for case in cases:
        for start, end in case.answers[:1]:
            for first, last in case.asked.spans:
                if not first <= start < end <= last:
                    continue
                text = case.asked.text[first:last]
                words = sentence_words(case.question, text, chinese, simplified)
                inside = [
                    place
                    for place, word in enumerate(words.words)
                    if word.start < end - first and start - first < word.end
                ]
                if inside and len(inside) <= MOST_WORDS:
                    yield Answered(words, inside[0], len(inside) - 1)


def save_folder(out: Path, weights: Mapping[str, FinderWeights], facts: Mapping[str, Any]) -> None:
    """Write ``config.json`` and ``model.safetensors`` for the answer-finder engine."""
    out.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for language, one in weights.items():
        parts = {
            "sentence": one.sentence,
            "trust": one.trust,
            "span.shapes": one.spans.shapes,
            "span.words": one.spans.words,
            "span.lengths": one.spans.lengths,
        }
        for name, values in parts.items():
            tensors[f"{language}.{name}"] = torch.from_numpy(np.ascontiguousarray(values)).float()
    (out / WEIGHTS).write_bytes(save(tensors))
    languages = {language: {"encoder": one.encoder} for language, one in weights.items()}
    text = json.dumps({**facts, "languages": languages, **LAYOUT}, ensure_ascii=False, indent=2)
    (out / CONFIG).write_text(text + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Returns 0, or 2 where data is missing."""
    parser = training_parser(
        "question_answering",
        "Train the default finder of answers (English and Chinese) and write "
        "model.safetensors and config.json. Takes some minutes on one core.",
        SOURCES.values(),
        DEFAULT_OUT,
    )
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        require(chosen.data, SOURCES.values(), ["train"])
        rows = {
            language: asking(one.rows(chosen.data, "train")) for language, one in SOURCES.items()
        }
    except DataMissing as error:
        print(error, file=sys.stderr)
        return 2
    encoder, simplified = default_encoder("question-answering"), simplified_characters()
    weights = {}
    for language, some in rows.items():
        print(f"{language}: {len(some)} questions", file=sys.stderr, flush=True)
        helped = encoder if language in ENCODED_LANGUAGES else None
        weights[language] = train(some, language, helped, simplified, chosen.seed)
    save_folder(chosen.out, weights, {**FACTS, "seed": chosen.seed})
    print(f"written to {chosen.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
