"""The translator: sentences in passes of like length, texts of any length whole again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.translation import Translated, TranslationInput
from tests.support.models import SENTENCES, one_thread, save_seq2seq
from workers.catalogue.entries import CatalogueEntry
from workers.engines.seq2seq import build_seq2seq
from workers.engines.translator import Translator, build_translator
from workers.errors import CatalogueError

LONG = " ".join(SENTENCES[:4]) + "\n\nTea.\n" + SENTENCES[1]
CHINESE = "".join(SENTENCES[4:])


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_seq2seq(tmp_path_factory.mktemp("tiny"), "marian")


def entry_of(folder: Path, **options: Any) -> CatalogueEntry:
    given = {"pairs": ["en-zh", "zh-en"], "max_new_tokens": 24, **options}
    return CatalogueEntry(
        name="tiny", task="translation", engine="translator", folder=folder, options=given
    )


@pytest.fixture(scope="module")
def engine(folder: Path) -> Translator:
    return build(folder)


def build(folder: Path, **options: Any) -> Translator:
    return build_translator(entry_of(folder, **options), torch.device("cpu"))


def run(engine: Translator, inputs: Sequence[ModelInput]) -> list[Translated]:
    return engine.forward(engine.tokenize(inputs))


def test_texts_of_many_lengths_together_as_alone(folder: Path) -> None:
    engine = build(folder, beams=2, longest_sentence=48)
    inputs = [
        TranslationInput(LONG, "en", "zh"),
        TranslationInput(CHINESE, "zh", "en"),
        TranslationInput("Tea.", "en", "zh"),
        TranslationInput(SENTENCES[2] * 12, "en", "zh"),
    ]
    together = run(engine, inputs)
    assert together == [run(engine, [one])[0] for one in inputs]
    assert together[::-1] == run(engine, inputs[::-1])


def test_every_sentence_is_translated_as_by_itself(folder: Path, engine: Translator) -> None:
    (result,) = run(engine, [TranslationInput(LONG, "en", "zh")])
    pieces = [*SENTENCES[:4], "Tea.", SENTENCES[1]]
    alone = run(engine, [TranslationInput(one, "en", "zh") for one in pieces])
    first, rest, last = alone[:4], alone[4], alone[5]
    wanted = "".join(one["text"] for one in first)
    assert result["text"] == f"{wanted}\n\n{rest['text']}\n{last['text']}"
    assert result["sentences"] == 6
    for count in ("prompt_tokens", "completion_tokens", "unknown_tokens"):
        assert result[count] == sum(one[count] for one in alone)
    plain = build_seq2seq(entry_of(folder).model_copy(update={"options": {}}), torch.device("cpu"))
    (found,) = plain.forward(plain.tokenize([ModelInput("Tea.", "en")]))
    assert found["text"].startswith(rest["text"][:8])


def test_a_space_stands_between_sentences_where_the_target_has_one(engine: Translator) -> None:
    one, other = SENTENCES[4], SENTENCES[6]
    alone = [result["text"] for result in run(engine, both(one, other, "zh", "en"))]
    (joined,) = run(engine, [TranslationInput(one + other, "zh", "en")])
    assert joined["text"] == " ".join(alone)
    (joined,) = run(engine, [TranslationInput("Tea. Bread.", "en", "zh")])
    alone = [result["text"] for result in run(engine, both("Tea.", "Bread.", "en", "zh"))]
    assert joined["text"] == "".join(alone)


def both(one: str, other: str, source: str, target: str) -> list[TranslationInput]:
    return [TranslationInput(text, source, target) for text in (one, other)]


def test_a_sentence_without_an_end_is_cut_and_none_of_it_is_lost(folder: Path) -> None:
    engine = build(folder, longest_sentence=40)
    text = "word " * 200
    (result,) = run(engine, [TranslationInput(text, "en", "zh")])
    assert result["sentences"] > 20 and not result["truncated"]
    (whole,) = run(build(folder), [TranslationInput("w" * 300, "en", "zh")])
    assert whole["truncated"] is (whole["prompt_tokens"] == 128)


def test_target_tokens_and_simplified_characters(folder: Path, engine: Translator) -> None:
    told = build(folder, target_tokens={"zh": ">>zh<<"})
    one = TranslationInput("Tea.", "en", "zh")
    (with_token,), (without,) = told.tokenize([one]), engine.tokenize([one])
    assert with_token.length > without.length
    other = TranslationInput("茶。", "zh", "en")
    assert told.tokenize([other])[0].length == engine.tokenize([other])[0].length
    traditional, simplified = both("圖書館八點開門。", "图书馆八点开门。", "zh", "en")
    assert engine.tokenize([traditional])[0].tokens != engine.tokenize([simplified])[0].tokens
    simple = build(folder, simplify=True)
    assert simple.tokenize([traditional])[0].tokens == simple.tokenize([simplified])[0].tokens


def test_a_text_without_sentences_is_empty(engine: Translator) -> None:
    (result,) = run(engine, [TranslationInput("", "en", "zh")])
    assert (result["text"], result["sentences"], result["finish_reason"]) == ("", 0, "stop")


def test_another_pair_is_refused_and_the_pairs_are_named(folder: Path) -> None:
    engine = build(folder, pairs=["en-zh"])
    with pytest.raises(
        InvalidInput, match="does not translate zh to en; its pairs are en-zh"
    ) as no:
        engine.tokenize([TranslationInput("茶", "zh", "en")])
    assert no.value.code == "unsupported_pair"
    with pytest.raises(TypeError, match="TranslationInput"):
        engine.tokenize([ModelInput("tea", "en")])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"pairs": []}, r"options\.pairs: Tuple should have at least 1"),
        ({"pairs": ["english-chinese"]}, r"options\.pairs\.0: String should match"),
        ({"longest_sentence": 3}, r"options\.longest_sentence"),
        ({"sampling": True}, r"options\.sampling: Extra inputs"),
    ],
)
def test_wrong_options_are_named(folder: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(CatalogueError, match=says):
        build(folder, **options)
