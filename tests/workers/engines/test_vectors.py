"""The embedding engine over the shipped weights: spaces, order, batched as alone, one lane."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.comparing import TextsInput
from lepton_tasks.nlp.embedding import Embedding, EmbeddingOptions
from lepton_tasks.nlp.moderation import Moderation, ModerationOptions
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.base import Engine, Raw
from workers.engines.loader import load_engine
from workers.engines.packed import Packed
from workers.engines.trunk import States
from workers.engines.trunks import Trunks
from workers.engines.vectors import Embedder, PlacedItem

TASK = Embedding()
TEXTS = [
    "How do I get a new card?",
    "怎样才能换一张新卡？",
    "The parcel came on Monday, and everything in it was whole. " * 40,
    "怎樣才能換一張新卡？",
    "Где библиотека?",
    "📦🎉",
    "ok",
    "我的 iPhone 屏幕 broken 了",
]


@pytest.fixture(scope="module")
def trunks() -> Trunks:
    return Trunks()


@pytest.fixture(scope="module")
def engine(trunks: Trunks) -> Engine:
    return load_engine("embedding", read_catalogue(DEFAULT_CATALOGUE), "cpu", trunks=trunks)


def run(engine: Engine, texts: Sequence[str]) -> Sequence[Raw]:
    inputs = [TASK.encode(text, EmbeddingOptions()) for text in texts]
    return engine.forward(engine.tokenize(inputs))


def test_mixed_batch_equals_single_items_in_order(engine: Engine) -> None:
    together = run(engine, TEXTS)
    for text, found in zip(TEXTS, together, strict=True):
        (alone,) = run(engine, [text])
        assert (found["space"], found["truncated"]) == (alone["space"], alone["truncated"])
        assert found["vector"] == pytest.approx(alone["vector"], abs=1e-5)
        assert math.isclose(math.hypot(*found["vector"]), 1.0, abs_tol=1e-5)


def test_english_is_the_encoders_and_all_else_the_ngrams(engine: Engine) -> None:
    found = run(engine, TEXTS)
    spaces = [one["space"].split("@")[0] for one in found]
    assert spaces == [
        *("encoder-mean", "ngrams", "encoder-mean", "ngrams"),
        *("ngrams", "ngrams", "encoder-mean", "ngrams"),
    ]
    assert [len(one["vector"]) for one in found[:2]] == [384, 1024]


def test_what_was_cut_is_said(engine: Engine) -> None:
    assert [one["truncated"] for one in run(engine, [TEXTS[0], TEXTS[2], TEXTS[1] * 500])] == [
        False,
        True,
        False,
    ]


def test_traditional_and_simplified_are_one(engine: Engine) -> None:
    simplified, traditional = run(engine, [TEXTS[1], TEXTS[3]])
    assert simplified["vector"] == traditional["vector"]


def test_near_in_meaning_is_near(engine: Engine) -> None:
    def cosine(one: Raw, other: Raw) -> float:
        return float(sum(a * b for a, b in zip(one["vector"], other["vector"], strict=True)))

    card, also_card, tea = run(
        engine, ["How do I get a new card?", "I want my card replaced.", "Tea is a drink."]
    )
    assert cosine(card, also_card) > cosine(card, tea) + 0.2
    card, also_card, tea = run(engine, ["怎么换新卡？", "新卡怎么换", "茶是一种饮料。"])
    assert cosine(card, also_card) > cosine(card, tea) + 0.2


def test_moderation_and_embedding_share_one_copy_and_one_pass(
    engine: Engine, trunks: Trunks, monkeypatch: pytest.MonkeyPatch
) -> None:
    moderation = load_engine("moderation", read_catalogue(DEFAULT_CATALOGUE), "cpu", trunks=trunks)
    assert moderation.lane is engine.lane
    trunk = engine.lane._trunk  # type: ignore[attr-defined]
    passes: list[int] = []

    def counted(batch: Packed) -> States:
        passes.append(len(batch.starts))
        states: States = trunk(batch)
        return states

    monkeypatch.setattr(engine.lane, "_trunk", counted)
    inputs = [Moderation().encode(text, ModerationOptions()) for text in TEXTS[:2]]
    own = [TASK.encode(text, EmbeddingOptions()) for text in TEXTS[:2]]
    batch = [
        *((moderation, one) for one in moderation.tokenize(inputs)),
        *((engine, one) for one in engine.tokenize(own)),
    ]
    found = engine.lane.forward(batch)
    assert passes == [1]
    assert "toxicity" in found[0] and len(found[2]["vector"]) == 384


class Sizes(Embedder):
    """Embeds every text of an item and tells their sizes."""

    def texts(self, model_input: ModelInput) -> Sequence[ModelInput]:
        assert isinstance(model_input, TextsInput)
        return model_input.all_texts

    def answer(self, item: PlacedItem, vectors: Sequence[object]) -> Raw:
        return {"vectors": vectors, "spaces": [text.space for text in item.texts]}


def test_an_item_of_several_texts_embeds_each_once(engine: Engine) -> None:
    assert isinstance(engine, Embedder)
    many = Sizes("sizes", "1", engine.spaces, engine.lane)
    english, chinese = (TASK.encode(text, EmbeddingOptions()) for text in TEXTS[:2])
    items = [
        TextsInput("ok", "en", (chinese, english, english)),
        TextsInput(chinese.text, "zh", ()),
        TextsInput(english.text, "en", (ModelInput("ok", "en"),)),
    ]
    encoded = many.tokenize(items)
    lengths = [one.length for one in encoded]
    assert lengths[0] > lengths[2] > lengths[1]
    first, second, third = many.lane.forward([(many, one) for one in encoded])
    assert [len(one["vectors"]) for one in (first, second, third)] == [4, 1, 2]
    singles = {text: found["vector"] for text, found in zip(TEXTS, run(engine, TEXTS), strict=True)}
    for found, text in (
        (first["vectors"][0], "ok"),
        (first["vectors"][1], TEXTS[1]),
        (first["vectors"][3], TEXTS[0]),
        (second["vectors"][0], TEXTS[1]),
        (third["vectors"][0], TEXTS[0]),
        (third["vectors"][1], "ok"),
    ):
        assert found == pytest.approx(singles[text], abs=1e-5)
