"""How surely a corpus gives what is looked for: copies of its documents, answers from them."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from lepton_tasks.corpora import PAGE_DOCUMENTS, CorpusLimits, NewDocument
from lepton_tasks.nlp.question_answering import (
    QuestionAnswering,
    QuestionAnsweringOptions,
    QuestionItem,
)
from lepton_tasks.nlp.retrieval import CorpusTask, FoundPassage
from lepton_tasks.nlp.similarity import Pair, Similarity, SimilarityOptions
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import open_store
from workers.corpora.retriever import Retriever
from workers.engines.base import Engine
from workers.offline import micro_batches, shipped_engine
from workers.quality.edits import edited_copy, units
from workers.quality.similarity import CSL_ABSTRACTS, SCITLDR
from workers.training.datasets import DataSet, Row
from workers.training.question_answering import CMRC, XQUAD
from workers.training.squad import f1

_SEED: Final = 7
_ASKED: Final = 300
_EDITED: Final = 0.2
_NAME: Final = "corpus"
_TENANT: Final = "default"
_MEMORY: Final = 256 << 20


@contextmanager
def corpus_of(texts: Sequence[str]) -> Iterator[Retriever]:
    """A retriever over a corpus of ``texts``, in a database of its own; ids are their places."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        store = open_store(settings)
        limits = CorpusLimits.of(settings)
        store.corpora.create(_TENANT, _NAME)
        documents = [NewDocument(str(place), text) for place, text in enumerate(texts)]
        for first in range(0, len(documents), PAGE_DOCUMENTS):
            page = documents[first : first + PAGE_DOCUMENTS]
            store.documents.put(_TENANT, _NAME, page, limits)
        yield Retriever(store.corpus_index, _MEMORY)
        store.close()


def answer_from(
    task: CorpusTask[Any, Any],
    engine: Engine,
    retriever: Retriever,
    items: Sequence[Any],
    options: Any,
) -> tuple[list[Any], list[list[FoundPassage]]]:
    """Outputs of ``items`` as a worker makes them with a corpus, and what was found for each."""
    found = []
    for item in items:
        wanted = task.lookup(item, options)
        found.append([] if wanted is None else retriever.find(_TENANT, wanted))
    inputs = [task.encode_found(*one, options) for one in zip(items, found, strict=True)]
    encoded = engine.tokenize(inputs)
    outputs: dict[int, Any] = {}
    for rows in micro_batches(encoded):
        for row, raw in zip(rows, engine.forward([encoded[row] for row in rows]), strict=True):
            outputs[row] = task.decode(raw, inputs[row], options)
    return [outputs[row] for row in range(len(items))], found


def copies(engine: Engine, data: Path, source: DataSet) -> tuple[int, int, float, float, float]:
    """Count documents and copies; and the shares of copies whose originals were found.

    As a candidate, as one that is named, and as one that is named for a copy in the midst of
    other documents' text.
    """
    texts = _unique(row["text"] for part in ("train", "dev") for row in source.rows(data, part))
    generator = random.Random(_SEED)  # noqa: S311 - a simulation
    asked = generator.sample(range(len(texts)), min(_ASKED, len(texts)))
    vocabulary = sorted({unit for place in asked for unit in units(texts[place])})
    edited = [edited_copy(texts[place], _EDITED, vocabulary, generator) for place in asked]
    amid = [
        "\n".join([_cut(texts[place - 1]), one, _cut(texts[place - 2])])
        for place, one in zip(asked, edited, strict=True)
    ]
    options = SimilarityOptions(corpus=_NAME, mode="overlap")
    with corpus_of(texts) as retriever:
        shares = []
        for queries in (edited, amid):
            items = [Pair(text=text) for text in queries]
            outputs, found = answer_from(Similarity(), engine, retriever, items, options)
            wanted = [str(place) for place in asked]
            pairs = zip(wanted, found, strict=True)
            shares.append(np.mean([one in {some.document for some in own} for one, own in pairs]))
            named = zip(wanted, outputs, strict=True)
            shares.append(
                np.mean([one in {some.document for some in own.documents} for one, own in named])
            )
    return len(texts), len(asked), float(shares[0]), float(shares[1]), float(shares[3])


def questions(engine: Engine, data: Path, source: DataSet) -> tuple[int, int, list[float]]:
    """Count documents and questions; and the shares of questions whose document was found.

    Among the passages, as the first of them, and as the one that the answer names; then the
    mean F1 of the answers.
    """
    rows: list[Row] = source.rows(data, "dev")
    texts = _unique(row["context"] for part in ("train", "dev") for row in source.rows(data, part))
    rows = [row for row in rows if row["answers"]][:_ASKED]
    places = {text: str(place) for place, text in enumerate(texts)}
    options = QuestionAnsweringOptions(corpus=_NAME, no_answer_below=0.0)
    items = [QuestionItem(question=row["question"]) for row in rows]
    with corpus_of(texts) as retriever:
        outputs, found = answer_from(QuestionAnswering(), engine, retriever, items, options)
    wanted = [places[row["context"]] for row in rows]
    names = [[one.document for one in own] for own in found]
    answers = [[one["text"] for one in row["answers"]] for row in rows]
    return (
        len(texts),
        len(rows),
        [
            float(np.mean([one in own for one, own in zip(wanted, names, strict=True)])),
            float(np.mean([own[:1] == [one] for one, own in zip(wanted, names, strict=True)])),
            float(np.mean([own.document == one for one, own in zip(wanted, outputs, strict=True)])),
            float(
                np.mean(
                    [f1(own.answer or "", some) for own, some in zip(outputs, answers, strict=True)]
                )
            ),
        ],
    )


def measure(data: Path) -> str:
    """Markdown section for the quality page; raises DataMissing for a set that is not there."""
    engine = shipped_engine("similarity")
    lines = [
        "## Corpora",
        "",
        "Copies (`similarity`, mode `overlap`, option `corpus`): abstracts of a corpus of which up "
        "to a fifth of the words (characters in Chinese) was replaced, left out or added to, "
        f"punctuation and case changed as well (`workers/quality/edits.py`, seed {_SEED}); once by "
        "themselves, once between halves of two other abstracts. The original is a candidate, and "
        "is named in the answer.",
        "",
        "| corpus | documents | copies | candidate | goal | named | named, amid other text |",
        "|---|---|---|---|---|---|---|",
    ]
    for title, source in (("SciTLDR abstracts, en", SCITLDR), ("CSL abstracts, zh", CSL_ABSTRACTS)):
        documents, count, candidate, named, amid = copies(engine, data, source)
        lines.append(
            f"| {title} | {documents:,} | {count} | {candidate:.1%} | 99% | {named:.1%} "
            f"| {amid:.1%} |"
        )
    lines += [
        "",
        "Answers (`question-answering` without a context): questions of the dev parts, asked of "
        "all contexts of train and dev. The context of a question is among the passages that were "
        "found, is the first of them, is named in the answer; F1 as SQuAD scores it, with an "
        "answer forced, of Chinese by character.",
        "",
        "| corpus | documents | questions | found | first | named | F1 |",
        "|---|---|---|---|---|---|---|",
    ]
    finder = shipped_engine("question-answering")
    for title, source in (("XQuAD, en", XQUAD), ("CMRC 2018, zh", CMRC)):
        documents, count, shares = questions(finder, data, source)
        shown = " | ".join(f"{one:.3f}" for one in shares)
        lines.append(f"| {title} | {documents:,} | {count} | {shown} |")
    return "\n".join(lines) + "\n"


def _unique(texts: Iterable[object]) -> list[str]:
    return list(dict.fromkeys(str(text) for text in texts))


def _cut(text: str) -> str:
    return text[: len(text) // 2]
