"""The similarity engine over the shipped weights: scores, languages, overlaps, batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import pytest

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.retrieval import FoundPassage
from lepton_tasks.nlp.similarity import Pair, Similarity, SimilarityOptions, SimilarityOutput
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.base import Engine
from workers.engines.loader import load_engine

TASK = Similarity()
PAIRS = [
    ("A man is playing a guitar.", "Someone plays the guitar."),
    ("A man is playing a guitar.", "The bank is closed on Sunday."),
    ("一个男人在弹吉他。", "有个男人在弹吉他"),
    ("一个男人在弹吉他。", "银行星期日不开门。"),
    ("圖書館開門了", "图书馆开门了"),
    ("茶", "A cup of tea."),
    ("😀", "😀"),
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load_engine("similarity", read_catalogue(DEFAULT_CATALOGUE), "cpu")


def run(
    engine: Engine,
    pairs: Sequence[tuple[str, str]],
    mode: Literal["meaning", "overlap"] = "meaning",
) -> list[SimilarityOutput]:
    options = SimilarityOptions(mode=mode)
    inputs = [TASK.encode(Pair(text=text, other=other), options) for text, other in pairs]
    found = engine.forward(engine.tokenize(inputs))
    return [TASK.decode(raw, one, options) for raw, one in zip(found, inputs, strict=True)]


def test_mixed_batch_equals_single_items_in_order(engine: Engine) -> None:
    for pair, together in zip(PAIRS, run(engine, PAIRS), strict=True):
        (alone,) = run(engine, [pair])
        if together.score is None:
            assert alone == together
        else:
            assert alone.score is not None
            assert math.isclose(together.score, alone.score, abs_tol=1e-5)


def test_scores_are_what_people_would_say(engine: Engine) -> None:
    scores = [one.score for one in run(engine, PAIRS)]
    alike, unlike, alike_zh, unlike_zh, same, mixed, emoji = scores
    assert alike is not None and unlike is not None and alike > 0.6 > 0.3 > unlike
    assert alike_zh is not None and unlike_zh is not None and alike_zh > unlike_zh + 0.3
    assert same == emoji == pytest.approx(1.0, abs=1e-6)
    assert mixed is None


def test_the_order_of_a_pair_does_not_matter(engine: Engine) -> None:
    forth, back = run(engine, PAIRS[:5]), run(engine, [(b, a) for a, b in PAIRS[:5]])
    assert [one.score for one in forth] == pytest.approx([one.score for one in back], abs=1e-6)


def test_overlaps_and_meanings_share_a_batch(engine: Engine) -> None:
    text = "据说图书馆早上八点开门，周日不休息。"
    pairs = [(text, "图书馆早上八点开门，周日休息。"), ("tea", "tea"), ("tea", "茶")]
    found, same, none = run(engine, pairs, "overlap")
    assert found.copied is not None and found.copied_share is not None
    passage = found.copied[0].text
    assert text[passage.start : passage.end].startswith("图书馆早上八点开门")
    assert 0.6 < found.copied_share < 1.0
    assert (same.copied_share, none.copied_share) == (1.0, 0.0)
    inputs = [
        TASK.encode(Pair(text="tea", other="green tea"), SimilarityOptions(mode=mode))
        for mode in ("meaning", "overlap", "meaning")
    ]
    raws = engine.forward(engine.tokenize(inputs))
    assert [set(raw) for raw in raws] == [
        {"score", "truncated"},
        {"share", "matches"},
        {"score", "truncated"},
    ]


def test_what_was_cut_is_said(engine: Engine) -> None:
    long = "The parcel came on Monday, and everything in it was whole. " * 40
    assert [one.truncated for one in run(engine, [("tea", long), ("tea", "coffee")])] == [
        True,
        False,
    ]


def test_another_input_is_refused(engine: Engine) -> None:
    with pytest.raises(TypeError, match="a pair of texts"):
        engine.tokenize([ModelInput("tea", "en")])


def test_a_text_among_others_scores_as_in_pairs(engine: Engine) -> None:
    text, others = "Someone plays the guitar.", ["A man is playing a guitar.", "茶", "Closed."]
    found = [FoundPassage(str(place), other, 0) for place, other in enumerate(others)]
    inputs = [
        TASK.encode_found(Pair(text=text), passages, SimilarityOptions(corpus="c", mode=mode))
        for passages in (found, [])
        for mode in ("meaning", "overlap")
    ]
    near, copied, none, nothing = engine.forward(engine.tokenize(inputs))
    wanted = [one.score for one in run(engine, [(text, other) for other in others])]
    assert wanted[1] is None and near["scores"][1] is None
    assert near["scores"][::2] == pytest.approx(wanted[::2], abs=1e-5)
    assert [one["share"] for one in copied["overlaps"]] == [
        one.copied_share for one in run(engine, [(text, other) for other in others], "overlap")
    ]
    assert (none["scores"], nothing["overlaps"], nothing["share"]) == ([], [], 0.0)
