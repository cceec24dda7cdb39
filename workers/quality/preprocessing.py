"""Measure preprocessing on treebanks: words, sentences and parts of speech."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Final

from lepton_tasks.nlp.preprocessing import Preprocessing, PreprocessingOptions
from lepton_tasks.nlp.sentences import split_sentences
from workers.catalogue.entries import DEFAULT_CATALOGUE, choose, read_catalogue
from workers.engines.folder import read_folder
from workers.engines.tagger import Tagger, build_tagger
from workers.tagging.english import Span
from workers.training.datasets import Row
from workers.training.tagging import EWT, GSD_ZH

_AS_IS: Final = {
    "html": "keep",
    "full_width": "keep",
    "zero_width": "keep",
    "homoglyphs": "keep",
}
"""Options under which a text of one line stays as it is, so that spans can be compared."""
_ITEMS: Final = 64
_JOINED: Final = 5
_SETS: Final = (("English, EWT", EWT, "en"), ("Chinese, GSDSimp", GSD_ZH, "zh"))


def f1(gold: Iterable[set[Hashable]], found: Iterable[set[Hashable]]) -> float:
    """Harmonic mean of precision and recall over pairs of sets, pooled.

    >>> f1([{1, 2}, {3}], [{1}, {3, 4}])
    0.6666666666666666
    """
    right = both = 0
    for wanted, got in zip(gold, found, strict=True):
        right += len(wanted & got)
        both += len(wanted) + len(got)
    return 2 * right / both if both else 0.0


def spans_of(row: Row) -> list[Span]:
    """Where the words of a treebank's sentence stand in its text."""
    spans: list[Span] = []
    at = 0
    for word in row["tokens"]:
        start = row["text"].index(word, at)
        at = start + len(word)
        spans.append((start, at))
    return spans


def words_row(engine: Tagger, title: str, rows: Sequence[Row], language: str) -> str:
    """Table row: tags of given words, then words and tags of plain text through the task."""
    tags = engine.tag([row["tokens"] for row in rows], language)
    wanted = [tag for row in rows for tag in row["upos"]]
    accuracy = sum(map(str.__eq__, tags, wanted)) / len(wanted)
    task = Preprocessing()
    options = PreprocessingOptions.model_validate({**_AS_IS, "language": language})
    began = time.process_time()
    inputs = [task.encode(row["text"], options) for row in rows]
    outputs = [
        task.decode(raw, one, options)
        for start in range(0, len(inputs), _ITEMS)
        for raw, one in zip(
            engine.forward(engine.tokenize(inputs[start : start + _ITEMS])),
            inputs[start : start + _ITEMS],
            strict=True,
        )
    ]
    seconds = time.process_time() - began
    gold: list[list[tuple[Span, str]]] = []
    found: list[list[tuple[Span, str]]] = []
    for row, output in zip(rows, outputs, strict=True):
        if output.text == row["text"]:
            gold.append(list(zip(spans_of(row), row["upos"], strict=True)))
            found.append([((one.start, one.end), one.upos or "") for one in output.tokens or []])
    words = f1(
        [{span for span, _ in one} for one in gold], [{span for span, _ in one} for one in found]
    )
    both = f1([set(one) for one in gold], [set(one) for one in found])
    rate = sum(len(one.tokens or []) for one in outputs) / seconds
    return (
        f"| {title} | {len(rows)} | {len(wanted)} | {accuracy:.3f} | {words:.3f} | {both:.3f} "
        f"| {rate:,.0f} |"
    )


def sentences_row(title: str, rows: Sequence[Row], between: str) -> str:
    """Table row: ends of sentences, found in texts of five that were joined."""
    gold: list[set[Hashable]] = []
    found: list[set[Hashable]] = []
    for first in range(0, len(rows), _JOINED):
        texts = [row["text"].strip() for row in rows[first : first + _JOINED]]
        ends = [len(between.join(texts[: count + 1])) for count in range(len(texts))]
        gold.append(set(ends))
        found.append({end for _, end in split_sentences(between.join(texts))})
    return f"| {title} | {len(rows)} | {f1(gold, found):.3f} |"


def measure(data: Path) -> str:
    """One Markdown section, from the dev parts of ``data``; raises DataMissing without them."""
    entry = choose(read_catalogue(DEFAULT_CATALOGUE), "preprocessing", None)
    engine = build_tagger(entry.name, read_folder(entry.model_folder))
    parts = [(title, source.rows(data, "dev"), language) for title, source, language in _SETS]
    lines = [
        "## Preprocessing",
        "",
        f"Model `{engine.name}`, revision `{engine.revision}`; weights from the train parts of the "
        "same treebanks (CC BY-SA 4.0), settings chosen on these dev parts. Goal: accuracy 0.95 in "
        "English with the treebank's words. For comparison, spaCy's transformer for EWT (UD 2.5): "
        "accuracy 0.969 (https://huggingface.co/explosion/en_udv25_englishewt_trf). The Chinese "
        "part has 101 sentences, and "
        "jieba cuts by another standard than the treebank.",
        "",
        "| set (dev) | sentences | words | tag accuracy, words given | words F1, end to end "
        "| words and tags F1, end to end | words a second of CPU time |",
        "|---|---|---|---|---|---|---|",
        *(words_row(engine, title, rows, language) for title, rows, language in parts),
        "",
        "Ends of sentences in texts made of five sentences of the set, in Chinese without anything "
        "between them; the five are of different sources, and many end without a mark:",
        "",
        "| set (dev) | sentences | ends F1 |",
        "|---|---|---|",
        *(
            sentences_row(title, rows, "" if language == "zh" else " ")
            for title, rows, language in parts
        ),
    ]
    return "\n".join(lines) + "\n"
