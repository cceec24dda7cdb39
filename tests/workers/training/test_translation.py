"""Training a translator on a toy language: its words, its first vectors, a fit that goes on."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from lepton_tasks.nlp.translation import Translation
from tests.support.models import one_thread
from workers.catalogue.entries import CatalogueEntry
from workers.engines.loader import load_engine
from workers.offline import answer_all
from workers.training.datasets import Row
from workers.training.seq2seq_fit import Fit, Plan, batch_loss, dev_loss
from workers.training.shared_vectors import share_vectors
from workers.training.translation import main, new_network, save_folder, sides, token_pairs
from workers.training.translation_vocabulary import special_tokens, train_tokenizer

WHO = {"I": "我", "You": "你", "They": "他们"}
DO = {"drink": "喝", "buy": "買", "sell": "卖", "like": "喜欢"}
WHAT = {"tea": "茶", "milk": "牛奶", "rice": "米饭", "cats": "猫", "books": "書"}
ROWS: list[Row] = [
    {"en": f"{who} {do} {what}.", "zh": f"{WHO[who]}{DO[do]}{WHAT[what]}。"}
    for who, do, what in product(WHO, DO, WHAT)
]
LANGUAGES = ("en", "zh")
SHAPE = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 64,
}
PLAN = Plan(epochs=26, cooling=6, batch=8, peak=8e-3, warmup=20, smoothing=0.0, decay=0.9)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    texts = [text for pair in sides(ROWS) for text in pair]
    return train_tokenizer(texts, LANGUAGES, 200, 100)


def fresh(tokenizer: Any) -> Any:
    torch.manual_seed(3)
    network = new_network(tokenizer, SHAPE)
    pairs = token_pairs(sides(ROWS), tokenizer)[::2]
    both = [[*pair.source, *pair.target] for pair in pairs]
    unlike = len(special_tokens(LANGUAGES))
    assert share_vectors(network.get_input_embeddings().weight, both, unlike, 0.5) > 20
    return network


def test_words_are_pieces_and_han_characters_stand_alone(tokenizer: Any) -> None:
    tokens = tokenizer.encode(">>zh<< You sell milk’s 12.").tokens
    assert tokens[:4] == [">>zh<<", "▁You", "▁sell", "▁milk"]
    assert tokens[-1] == "</s>"
    assert tokenizer.encode("他们喝牛奶。").tokens == [*"他们喝牛奶。", "</s>"]
    assert tokenizer.decode(tokenizer.encode(" You sell milk.").ids).strip() == "You sell milk."
    assert tokenizer.encode(">>en<< 龍").tokens[-2] == "<unk>"
    again = train_tokenizer([text for pair in sides(ROWS) for text in pair], LANGUAGES, 200, 100)
    assert again.to_str() == tokenizer.to_str()


def test_of_equally_rare_characters_the_same_are_always_kept() -> None:
    rare = [chr(0x4E00 + place) for place in range(300)]
    random.Random(1).shuffle(rare)
    made = [train_tokenizer([*rare, "ab ab"], ["zh"], 80, 50) for _ in range(3)]
    assert len({one.to_str() for one in made}) == 1
    kept = sorted(one for one in made[0].get_vocab() if one >= "\u4e00")
    assert kept == [chr(0x4E00 + place) for place in range(len(kept))] and 40 < len(kept) <= 50


def test_sides_are_simplified_and_both_ways_are_pairs(tokenizer: Any) -> None:
    texts = sides([{"en": "You buy books. ", "zh": "你買書。"}])
    assert texts == [(" You buy books.", "你买书。")]
    forth, back = token_pairs(texts, tokenizer)
    assert forth.source[0] == tokenizer.token_to_id(">>zh<<")
    assert back.source[0] == tokenizer.token_to_id(">>en<<")
    assert (forth.source[1:], forth.target) == (back.target, back.source[1:])


def test_what_occurs_together_begins_alike() -> None:
    torch.manual_seed(5)
    weight = torch.nn.Embedding(24, 16).weight
    before = weight.detach().clone()
    topics = [range(4, 12), range(12, 20)]
    pairs = [[0, *random.Random(n).sample(topics[n % 2], 4)] for n in range(80)]
    assert share_vectors(weight, pairs, unlike=2, share=0.5) == 16
    vectors = torch.nn.functional.normalize(weight.detach(), dim=1)
    one, other = vectors[topics[0]], vectors[topics[1]]
    assert (one @ one.T).mean() > (one @ other.T).mean() + 0.2
    assert torch.equal(weight[:4], before[:4]) and torch.equal(weight[20:], before[20:])
    assert torch.allclose(weight.norm(dim=1), before.norm(dim=1), atol=1e-4)


def test_an_interrupted_fit_goes_on_as_if_it_had_not_been(tokenizer: Any, tmp_path: Path) -> None:
    pairs = token_pairs(sides(ROWS[:16]), tokenizer)
    plan, shorter = replace(PLAN, epochs=4, cooling=2), replace(PLAN, epochs=2, cooling=0)
    whole, state = fresh(tokenizer), tmp_path / "state.pt"
    best = Fit(whole, plan, 7).run(pairs, pairs[:4], lambda _: None)
    Fit(fresh(tokenizer), shorter, 7, state).run(pairs, pairs[:4], lambda _: None)
    resumed = fresh(tokenizer)
    assert Fit(resumed, plan, 7, state).run(pairs, pairs[:4], lambda _: None) == best
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_it_learns_and_is_served(tokenizer: Any, tmp_path: Path) -> None:
    pairs = token_pairs(sides(ROWS), tokenizer)
    kept: list[Any] = []
    network = fresh(tokenizer)
    best = Fit(network, PLAN, 7).run(pairs[8:], pairs[:8], lambda mean: kept.append(dict(mean)))
    assert best < 0.5 and kept
    save_folder(tmp_path / "model", network, kept[-1], tokenizer)
    entry = CatalogueEntry(
        name="toy",
        task="translation",
        engine="translator",
        folder=tmp_path / "model",
        options={
            "pairs": ["en-zh", "zh-en"],
            "target_tokens": {"en": ">>en<<", "zh": ">>zh<<"},
            "simplify": True,
        },
    )
    engine, task = load_engine("translation", {"toy": entry}, "cpu", "toy"), Translation()
    answers = answer_all(task, engine, [one["zh"] for one in ROWS], task.options_model(target="en"))
    right = sum(one.text == row["en"] for one, row in zip(answers, ROWS, strict=True))
    assert right > 0.8 * len(ROWS)


def test_losses_leave_padding_out(tokenizer: Any) -> None:
    network = fresh(tokenizer).eval()
    pairs = token_pairs(sides(ROWS), tokenizer)[:6]
    with torch.no_grad():
        alone = [batch_loss(network, [one], 0.0) for one in pairs]
        together, tokens = batch_loss(network, pairs, 0.0)
    assert tokens == sum(count for _, count in alone) == sum(len(one.target) for one in pairs)
    assert together.item() == pytest.approx(
        sum(loss.item() * count for loss, count in alone) / tokens, abs=1e-5
    )
    weights = dict(network.named_parameters())
    assert dev_loss(network, weights, pairs, 2) == pytest.approx(together.item(), abs=1e-5)


def test_the_command_line_writes_the_same_folder_twice(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "mt_tatoeba"
    folder.mkdir(parents=True)
    for part, rows in (("train", ROWS[:20]), ("dev", ROWS[20:24])):
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / f"{part}.jsonl").write_text(lines, encoding="utf-8")
    for out in ("one", "two"):
        given = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / out), "--epochs", "1"]
        assert main(given) == 0
    for file in ("model.safetensors", "config.json", "tokenizer.json", "generation_config.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_missing_data_exits_2_naming_the_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path)]) == 2
    assert "mt_tatoeba: https://tatoeba.org/downloads" in capsys.readouterr().err
