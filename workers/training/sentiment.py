"""Train the default sentiment model: ``python -m workers.training.sentiment --data DIR``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from lepton_tasks.nlp.clean import clean_text
from lepton_tasks.nlp.sentiment import LABELS
from workers.engines.encoder import SentenceEncoder
from workers.features.ngrams import NgramSpec
from workers.training.classifier import LanguageHeads, SoftmaxHead, save_classifier
from workers.training.command import say, training_parser
from workers.training.datasets import DataMissing, DataSet, require
from workers.training.linear import Floats, hashed
from workers.training.softmax import NGRAM_C, fit_softmax
from workers.training.upper_layers import lower_states
from workers.training.upper_run import UpperRecipe, tune
from workers.training.vectors import default_encoder

_TEXT_LABEL: Final = '{"text": …, "label": "negative"|"positive"}'
_CHINESE_CORPUS: Final = "https://github.com/SophonPlus/ChineseNlpCorpus"
SST2 = DataSet("sent_sst2", "https://nlp.stanford.edu/sentiment", "none stated", _TEXT_LABEL)
TWEETS = DataSet(
    "sent_tweet",
    "https://github.com/cardiffnlp/tweeteval (sentiment)",
    "without any restrictions, beside the platform's terms",
    '{"text": …, "label": "negative"|"neutral"|"positive"}',
)
WAIMAI = DataSet("sent_waimai_zh", _CHINESE_CORPUS, "none stated", _TEXT_LABEL)
HOTEL = DataSet("sent_hotel_zh", _CHINESE_CORPUS, "none stated", _TEXT_LABEL)
SHOPPING = DataSet("sent_shopping_zh", _CHINESE_CORPUS, "none stated", _TEXT_LABEL)
TATOEBA = DataSet(
    "mt_tatoeba", "https://tatoeba.org/downloads", "CC BY 2.0 FR", '{"en": …, "zh": …}'
)
HEADLINES = DataSet("cls_thucnews_zh", "http://thuctc.thunlp.org", "research use", '{"text": …}')
ENGLISH: Final = (SST2, TWEETS)
CHINESE: Final = (WAIMAI, HOTEL, SHOPPING)

SPECS: Final = {
    "en": NgramSpec(1 << 16, (2, 5), (1, 2)),
    "zh": NgramSpec(1 << 17, (1, 4), (0, 0)),
}
RECIPE: Final = UpperRecipe(first=4, rank=16, epochs=2, rate=1e-3, dropout=0.0)
TUNED_TWEETS: Final = 4_000
"""Of the tweets, those that layers are tuned on: they take minutes, n-grams seconds."""
NGRAM_SHARE: Final = 0.5
"""Of the n-grams in English logits; the tuned encoder has the rest."""
SURE: Final = 0.6
"""What the English heads must score for a translation's label to be taken over."""
TRANSLATED_WEIGHT: Final = 0.3
HEADLINE_WEIGHT: Final = 0.1
DEFAULT_OUT = Path(__file__).parent.parent / "models" / "sentiment"
FACTS: Final = {"task": "sentiment", "engine": "text-classifier", "fallback_language": "en"}


@dataclass(frozen=True, slots=True)
class Labelled:
    """Cleaned texts, the places of their labels in LABELS, and how much each counts."""

    texts: list[str]
    truth: npt.NDArray[np.int64]
    weights: Floats

    def __add__(self, other: Labelled) -> Labelled:
        return Labelled(
            self.texts + other.texts,
            np.concatenate([self.truth, other.truth]),
            np.concatenate([self.weights, other.weights]),
        )


def labelled(
    data: Path, sets: Sequence[DataSet], split: str = "train", most: int | None = None
) -> Labelled:
    """Texts of ``sets``, the first ``most`` of each, with the labels that the sets state."""
    rows = [row for one in sets for row in one.rows(data, split)[:most]]
    truth = np.array([LABELS.index(row["label"]) for row in rows], dtype=np.int64)
    return Labelled([clean_text(row["text"]) for row in rows], truth, np.ones(len(rows)))


def translated(english: SoftmaxHead, pairs: Sequence[tuple[str, str]]) -> Labelled:
    """Chinese sides of (English, Chinese) ``pairs`` with the label of the English side.

    Only where ``english``, n-gram heads, is sure of it.
    """
    logits = english.logits(hashed([one for one, _ in pairs], SPECS["en"]))
    odds = np.exp(logits - logits.max(1, keepdims=True))
    scores = odds / odds.sum(1, keepdims=True)
    sure = np.flatnonzero(scores.max(1) >= SURE)
    weights = np.full(len(sure), TRANSLATED_WEIGHT)
    return Labelled([pairs[row][1] for row in sure.tolist()], scores[sure].argmax(1), weights)


def neutral(texts: Sequence[str]) -> Labelled:
    """News headlines: texts without an opinion of their author's, most of them."""
    truth = np.full(len(texts), LABELS.index("neutral"))
    return Labelled(list(texts), truth, np.full(len(texts), HEADLINE_WEIGHT))


def fit_ngrams(examples: Labelled, language: str) -> SoftmaxHead:
    """N-gram heads of one language."""
    say(f"{language}: n-gram heads of {len(examples.texts)} texts")
    features = hashed(examples.texts, SPECS[language])
    return fit_softmax(features, examples.truth, examples.weights, NGRAM_C)


def train(
    data: Path, encoder: SentenceEncoder, seed: int
) -> tuple[dict[str, LanguageHeads], dict[str, torch.Tensor]]:
    """Heads by language, and the adapters of the layers that the English ones stand on.

    English neutral is learnt from tweets; a film review is never neutral here, so that the
    model expects opinions of texts that read like one. Chinese neutral is learnt from
    headlines and from translations of what the English heads find neutral.
    """
    ngrams = fit_ngrams(labelled(data, ENGLISH), "en")
    pairs = [(clean_text(row["en"]), clean_text(row["zh"])) for row in TATOEBA.rows(data, "train")]
    headlines = [clean_text(row["text"]) for row in HEADLINES.rows(data, "train")]
    examples = labelled(data, CHINESE) + translated(ngrams, pairs) + neutral(headlines)
    chinese = LanguageHeads(LABELS, SPECS["zh"], fit_ngrams(examples, "zh"), None)
    examples = labelled(data, [SST2]) + labelled(data, [TWEETS], most=TUNED_TWEETS)
    say(f"en: layers from {RECIPE.first} on, tuned on {len(examples.texts)} texts")
    states = lower_states(encoder, examples.texts, RECIPE.first, say)
    tuned = tune(encoder, states, examples.truth, RECIPE, seed, say)
    english = LanguageHeads(
        LABELS,
        SPECS["en"],
        ngrams.scaled(NGRAM_SHARE),
        tuned.head.scaled(1 - NGRAM_SHARE),
    )
    return {"en": english, "zh": chinese}, tuned.tensors


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Returns 0, or 2 where data is missing."""
    parser = training_parser(
        "sentiment",
        "Train the default sentiment model (English and Chinese) and write "
        "model.safetensors and config.json.",
        [*ENGLISH, *CHINESE, TATOEBA, HEADLINES],
        DEFAULT_OUT,
    )
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        require(chosen.data, [*ENGLISH, *CHINESE, TATOEBA, HEADLINES], ["train"])
        heads, adapters = train(chosen.data, default_encoder("moderation"), chosen.seed)
    except DataMissing as error:
        print(error, file=sys.stderr)
        return 2
    save_classifier(chosen.out, heads, {**FACTS, "seed": chosen.seed}, adapters)
    say(f"written to {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
