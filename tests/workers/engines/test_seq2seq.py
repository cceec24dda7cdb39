"""Encoder-decoder engines of four families: batched as alone, as transformers generates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GenerationConfig

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.generating import GeneratedText, GenerationInput, GenerationSpec
from tests.support.models import (
    END,
    PAD,
    SENTENCES,
    SEQ2SEQ,
    load_seq2seq_network,
    one_thread,
    save_seq2seq,
)
from workers.catalogue.entries import CatalogueEntry
from workers.engines.pretrained import load_tokenizer
from workers.engines.seq2seq import Seq2SeqEngine, build_seq2seq
from workers.errors import CatalogueError, ModelRefused

NEW = 12
TEXTS = [SENTENCES[0], SENTENCES[4] * 2, "tea", SENTENCES[6], SENTENCES[1] + SENTENCES[5]]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module", params=SEQ2SEQ)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    family: str = request.param
    return save_seq2seq(tmp_path_factory.mktemp(family), family)


def build(folder: Path, max_tokens: int = 64, **options: Any) -> Seq2SeqEngine:
    entry = CatalogueEntry(
        name="tiny",
        task="translation",
        engine="seq2seq",
        folder=folder,
        max_tokens=max_tokens,
        options={"max_new_tokens": NEW, **options},
    )
    return build_seq2seq(entry, torch.device("cpu"))


def run(engine: Seq2SeqEngine, inputs: Sequence[ModelInput]) -> list[GeneratedText]:
    return engine.forward(engine.tokenize(inputs))


def plain(texts: Sequence[str] = TEXTS) -> list[ModelInput]:
    return [ModelInput(text, "und") for text in texts]


@pytest.mark.parametrize("beams", [1, 3])
def test_batched_as_alone_and_as_transformers_does(folder: Path, beams: int) -> None:
    engine = build(folder, beams=beams)
    network, tokenizer = load_seq2seq_network(folder), load_tokenizer(folder)
    network.generation_config.max_length = None
    together = run(engine, plain())
    for one, result in zip(plain(), together, strict=True):
        assert run(engine, [one]) == [result]
        ids = tokenizer.encode(one.text).ids
        settings = GenerationConfig(max_new_tokens=NEW, num_beams=beams, do_sample=False)
        wanted = network.generate(torch.tensor([ids]), generation_config=settings)[0]
        assert result["text"] == tokenizer.decode(wanted.tolist()).strip()
        assert result["prompt_tokens"] == len(ids)
        assert 1 <= result["completion_tokens"] <= NEW


@pytest.mark.parametrize("beams", [1, 4])
def test_a_batch_of_mixed_lengths_is_token_by_token_what_transformers_makes_of_each(
    folder: Path, beams: int
) -> None:
    engine = build(folder, beams=beams)
    network = load_seq2seq_network(folder)
    network.generation_config.max_length = None
    settings = GenerationConfig(max_new_tokens=NEW, num_beams=beams, do_sample=False)
    sources = [one.tokens for one in engine.tokenize(plain())]
    batch = engine._generate(sources, beams, NEW)
    for source, found in zip(sources, batch, strict=True):
        (alone,) = engine._generate([source], beams, NEW)
        wanted = network.generate(torch.tensor([source.ids]), generation_config=settings)[0]
        assert alone == wanted.tolist()[1:]
        assert found[: len(alone)] == alone
        assert set(found[len(alone) :]) <= {PAD}, "beside longer ones it is padded"


def test_a_prefix_is_read_and_zero_is_what_the_entry_has(folder: Path) -> None:
    engine = build(folder, prefix="tea ", beams=2)
    asked = GenerationInput("and bread", "en", GenerationSpec(beams=0, max_new_tokens=0))
    bare, zero = engine.tokenize([ModelInput("and bread", "en"), asked])
    assert bare == zero
    (whole,) = build(folder, beams=2).tokenize([ModelInput("tea and bread", "en")])
    assert whole == zero
    shorter = engine.limited(zero, 3)
    assert (shorter.tokens.max_new_tokens, shorter.length) == (3, zero.length)
    assert engine.limited(zero, 999).tokens.max_new_tokens == NEW


def test_inputs_may_ask_for_different_things(folder: Path) -> None:
    engine = build(folder)
    specs = [GenerationSpec(beams=beams, max_new_tokens=new) for beams, new in ((1, 5), (2, 9))]
    inputs: list[ModelInput] = [
        GenerationInput(text, "und", spec)
        for text, spec in zip(TEXTS[:4], [*specs, *specs], strict=True)
    ]
    inputs.insert(2, ModelInput(TEXTS[4], "und"))
    results = run(engine, inputs)
    assert results == [run(engine, [one])[0] for one in inputs]
    limits = [5, 9, NEW, 5, 9]
    assert all(
        result["completion_tokens"] <= limit for result, limit in zip(results, limits, strict=True)
    )


def test_lengths_are_what_the_device_computes(folder: Path) -> None:
    engine = build(folder)
    alone, beams = engine.tokenize(
        [ModelInput(TEXTS[0], "en"), GenerationInput(TEXTS[0], "en", GenerationSpec(beams=4))]
    )
    assert beams.length == 4 * alone.length > 4


def test_what_is_too_long_is_cut_and_says_so(folder: Path) -> None:
    engine = build(folder, max_tokens=16)
    short, long = run(engine, plain(["tea", SENTENCES[4] * 20]))
    assert (short["truncated"], long["truncated"]) == (False, True)
    assert long["prompt_tokens"] == 16
    tokens = engine.tokenize(plain([SENTENCES[4] * 20]))[0].tokens
    assert tokens.ids[-1] == END, "the end token is kept"


def test_more_than_the_positions_is_not_asked_of_a_model(tmp_path: Path) -> None:
    engine = build(save_seq2seq(tmp_path, "bart", max_position_embeddings=24), max_new_tokens=500)
    (result,) = run(engine, plain(["tea"]))
    assert result["completion_tokens"] <= 23


def test_an_end_is_told_from_a_limit(tmp_path: Path) -> None:
    folder = save_seq2seq(tmp_path, "t5")
    engine = build(folder)
    (cut,) = run(engine, plain(TEXTS[:1]))
    assert (cut["finish_reason"], cut["completion_tokens"]) == ("length", NEW)
    tokens = engine._generate([engine.tokenize(plain(TEXTS[:1]))[0].tokens], 1, NEW)[0]
    end = next(token for place, token in enumerate(tokens) if place > 2)
    settings = folder / "generation_config.json"
    settings.write_text(
        json.dumps({**json.loads(settings.read_text()), "eos_token_id": [END, end]})
    )
    (stopped, other) = run(build(folder), plain([TEXTS[0], TEXTS[2]]))
    assert stopped["finish_reason"] == "stop"
    assert stopped["completion_tokens"] == tokens.index(end) + 1
    assert run(build(folder), plain([TEXTS[2]])) == [other]


def test_a_forced_end_is_a_limit(tmp_path: Path) -> None:
    (result,) = run(build(save_seq2seq(tmp_path, "marian")), plain(TEXTS[:1]))
    assert result["finish_reason"] == "length"


def test_wrong_options_and_folders_are_named(tmp_path: Path) -> None:
    folder = save_seq2seq(tmp_path, "bart")
    with pytest.raises(CatalogueError, match=r"\[tiny\] options\.beams: Input should be less"):
        build(folder, beams=99)
    with pytest.raises(CatalogueError, match=r"options\.temperature: Extra inputs"):
        build(folder, temperature=1.0)
    settings = folder / "generation_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "pad_token_id": None}))
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "pad_token_id": None}))
    with pytest.raises(ModelRefused, match="has pad_token_id"):
        build(folder)


def test_the_revision_is_the_content(folder: Path) -> None:
    assert build(folder).revision == build(folder).revision
    assert (build(folder).name, len(build(folder).revision)) == ("tiny", 12)
