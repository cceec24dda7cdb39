"""Train the shipped label sets: ``python -m workers.training.classification --data DIR``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from lepton_tasks.nlp.clean import clean_text
from workers.engines.encoder import SentenceEncoder
from workers.features.ngrams import NgramSpec
from workers.training.classifier import NO_NGRAMS, LanguageHeads, save_classifier
from workers.training.command import say, training_parser
from workers.training.datasets import DataMissing, DataSet, require
from workers.training.linear import hashed
from workers.training.softmax import DENSE_C, fit_softmax
from workers.training.vectors import default_encoder, encode_all

_FIELDS: Final = '{"text": …, "label": …}'
AG_NEWS = DataSet(
    "cls_agnews",
    "http://groups.di.unipi.it/~gulli/AG_corpus_of_news_articles.html",
    "research use",
    _FIELDS,
)
THUCNEWS = DataSet("cls_thucnews_zh", "http://thuctc.thunlp.org", "research use", _FIELDS)
BANKING = DataSet(
    "cls_banking77",
    "https://github.com/PolyAI-LDN/task-specific-datasets",
    "CC BY 4.0",
    _FIELDS,
)
SPECS: Final = {
    "en": NgramSpec(1 << 16, (3, 5), (1, 2)),
    "zh": NgramSpec(1 << 16, (1, 2), (0, 0)),
}
NGRAM_C: Final = 20.0
NGRAM_SHARE: Final = 0.5
"""Of the n-grams in the logits of English topics; the encoder's vector has the rest."""
DEFAULT_OUT = Path(__file__).parent.parent / "models"
FACTS: Final = {"task": "classification", "engine": "text-classifier"}


def labelled(data: Path, source: DataSet, split: str) -> tuple[list[str], list[str]]:
    """Cleaned texts of ``source`` and their labels."""
    rows = source.rows(data, split)
    return [clean_text(row["text"]) for row in rows], [row["label"] for row in rows]


def train_heads(
    texts: Sequence[str],
    labels: Sequence[str],
    spec: NgramSpec,
    encoder: SentenceEncoder | None,
    ngram_share: float,
    cache: Path | None = None,
) -> LanguageHeads:
    """Heads over n-grams, over the vectors of ``encoder``, or over both, logits averaged."""
    names = sorted(set(labels))
    truth = np.array([names.index(label) for label in labels], dtype=np.int64)
    weights = np.ones(len(truth))
    ngrams = dense = None
    if ngram_share > 0:
        ngrams = fit_softmax(hashed(texts, spec), truth, weights, NGRAM_C).scaled(ngram_share)
    if encoder is not None:
        vectors = encode_all(encoder, texts, cache, _silent)
        dense = fit_softmax(vectors, truth, weights, DENSE_C).scaled(1 - ngram_share)
    return LanguageHeads(names, spec, ngrams, dense)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Returns 0, or 2 where data is missing."""
    parser = training_parser(
        "classification",
        "Train the label sets topics and intents and write a model folder for each.",
        [AG_NEWS, THUCNEWS, BANKING],
        DEFAULT_OUT,
    )
    parser.add_argument(
        "--cache", type=Path, metavar="FILE.npz", help="keep encoder vectors here between runs"
    )
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        require(chosen.data, [AG_NEWS, THUCNEWS, BANKING], ["train"])
        news, headlines, questions = (
            labelled(chosen.data, source, "train") for source in (AG_NEWS, THUCNEWS, BANKING)
        )
    except DataMissing as error:
        print(error, file=sys.stderr)
        return 2
    encoder = default_encoder("moderation")
    facts = {**FACTS, "fallback_language": "en", "seed": chosen.seed}
    intents = train_heads(*questions, NO_NGRAMS, encoder, 0.0, chosen.cache)
    save_classifier(chosen.out / "intents", {"en": intents}, facts)
    say(f"written to {chosen.out / 'intents'}")
    topics = {
        "en": train_heads(*news, SPECS["en"], encoder, NGRAM_SHARE, chosen.cache),
        "zh": train_heads(*headlines, SPECS["zh"], None, 1.0),
    }
    save_classifier(chosen.out / "topics", topics, facts)
    say(f"written to {chosen.out / 'topics'}")
    return 0


def _silent(done: int, total: int) -> None:
    """Encoding takes a minute or two."""


if __name__ == "__main__":
    sys.exit(main())
