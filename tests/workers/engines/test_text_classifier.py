"""The moderation engine over the shipped weights: order, mixing, batched as alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.moderation import Moderation, ModerationOptions
from lepton_tasks.nlp.scores import LabelScores
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.base import Engine
from workers.engines.loader import load_engine

TASK = Moderation()
TEXTS = [
    "Thanks, that was quick.",
    "今天的天气真好，我们去公园吧。",
    "You are a stupid idiot, and so is everybody in your town. " * 12,
    "Где библиотека?",
    "这种人就是垃圾，别理他。",
    "?",
    "The character 好 means good.",
    "mail me at www.example.org/a?b=c &amp; call @ada",
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load_engine("moderation", read_catalogue(DEFAULT_CATALOGUE), "cpu")


def encode(texts: Sequence[str]) -> list[ModelInput]:
    return [TASK.encode(text, ModerationOptions()) for text in texts]


def run(engine: Engine, inputs: Sequence[ModelInput]) -> Sequence[Mapping[str, float]]:
    return engine.forward(engine.tokenize(inputs))


def test_mixed_batch_equals_single_items_in_order(engine: Engine) -> None:
    inputs = encode(TEXTS)
    together = run(engine, inputs)
    for one, scores in zip(inputs, together, strict=True):
        (alone,) = run(engine, [one])
        assert scores.keys() == alone.keys()
        for label, score in scores.items():
            assert math.isclose(score, alone[label], abs_tol=1e-5)


def test_scores_are_probabilities_of_known_labels(engine: Engine) -> None:
    for scores in run(engine, encode(TEXTS)):
        assert set(scores) <= set(TASK.labels)
        assert all(0.0 <= score <= 1.0 for score in scores.values())


def test_language_chooses_the_heads(engine: Engine) -> None:
    english, chinese, russian = run(engine, encode([TEXTS[0], TEXTS[1], TEXTS[3]]))
    assert set(chinese) < set(english)
    assert set(russian) == set(english)


def test_length_is_the_padded_rectangle(engine: Engine) -> None:
    short, chinese, long = engine.tokenize(encode([TEXTS[0], TEXTS[1] * 20, TEXTS[2] * 50]))
    assert chinese.length < short.length < 20 < 200 < long.length
    assert long.length < 256 + 1 + 20_000 * 5 // 512


@pytest.mark.parametrize(
    ("text", "truncated"),
    [
        ("word " * 254, False),  # with the two special tokens all that the encoder reads
        ("word " * 255, True),
        ("w" * 5_000, True),  # one unknown word of which the tokenizer is not shown all
        ("好" * 5_000, False),  # the encoder has no part in it
    ],
)
def test_an_answer_says_that_the_text_was_cut_just_where_it_was(
    engine: Engine, text: str, truncated: bool
) -> None:
    (found,) = run(engine, encode([text]))
    assert isinstance(found, LabelScores) and found.truncated is truncated


def test_plain_cases_in_both_languages(engine: Engine) -> None:
    inputs = encode(
        [
            "Thank you very much, the parcel arrived this morning.",
            "You are a stupid bitch and a worthless idiot.",
            "谢谢你的帮助，祝你周末愉快。",
            "黑人都是垃圾，滚回你们的国家去。",
        ]
    )
    options = ModerationOptions()
    flags = [
        TASK.decode(raw, one, options).flagged
        for raw, one in zip(run(engine, inputs), inputs, strict=True)
    ]
    assert flags == [False, True, False, True]
