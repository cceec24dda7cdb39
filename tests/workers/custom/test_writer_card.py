"""The card of a language model says what it was made of, and nothing of the texts."""

from __future__ import annotations

from lepton_tasks.nlp.training import TrainingOptions
from workers.custom.writer_card import headline, writer_card

REPORT = {
    "parameters": 139_072,
    "vocabulary": 512,
    "context": 64,
    "tokens": 121_745,
    "bytes": 400_000,
    "held_out": {
        "en": {"tokens": 1_000, "perplexity": 12.34, "ngrams": 15.1, "bits_per_byte": 1.5},
        "zh": {"tokens": 2_000, "perplexity": 30.0, "ngrams": 33.0, "bits_per_byte": 2.25},
    },
}
OUTPUT = {
    "task": "generation",
    "rows": {"en": 900, "zh": 1_100},
    "trained": 1_900,
    "held_out": 100,
    "warnings": ["zh: 3 documents of 243; that is too few"],
    "language_model": REPORT,
}


def test_the_headline_has_every_language() -> None:
    assert headline(REPORT).startswith("perplexity en 12.3 (n-grams 15.1), zh 30.0")


def test_the_card_has_the_figures_the_warnings_and_the_command() -> None:
    options = TrainingOptions.model_construct(model="my-writer", seed=11)
    card = writer_card(options, OUTPUT, "lepton train notes.txt --method language-model")
    assert card.startswith("# my-writer\n")
    for said in (
        "seed 11: `lepton train notes.txt --method language-model`",
        "Parameters: 139,072",
        "en 900, zh 1,100",
        "- zh: 3 documents of 243",
        "| zh | 2,000 | 30.00 | 33.00 | 2.250 |",
        "Licence:",
    ):
        assert said in card
