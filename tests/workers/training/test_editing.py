"""Training the correction of typos on a few sentences: learns, repeats itself, loads."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from lepton_tasks.nlp.editing import Editing, EditingOptions
from workers.editing.chinese import FEATURES as CHINESE_FEATURES
from workers.editing.chinese import Confusions
from workers.editing.english import FEATURES as ENGLISH_FEATURES
from workers.engines.editor import build_editor
from workers.engines.folder import read_folder
from workers.training import editing_chinese as chinese
from workers.training import editing_english as english
from workers.training.datasets import DataMissing
from workers.training.editing import THRESHOLDS, main, save
from workers.training.editing_sources import chinese_words, scowl_words
from workers.training.network import fit_scorer

ENGLISH = ["The friend of the dog went to the garden.", "I believe that their garden is green."] * 8
WORDS = ["the", "friend", "of", "dog", "went", "to", "garden", "believe", "that", "their", "there"]
BOOKS = [("of the", 9_000_000), ("to the", 8_000_000)]
CHINESE = [("今天天气很好。", 1.0), ("我们去公园散步。", 1.0)] * 8
DICTIONARY = [("天气", 900), ("公园", 700), ("散步", 300), ("今天", 900), ("汽", 50), ("圆", 90)]
SOUNDS = {"气": ["qi4"], "汽": ["qi4"], "园": ["yuan2"], "圆": ["yuan2"], "天": ["tian1"]}
PARTS = {"汽": ["水", "气"], "园": ["囗", "元"]}


def trained(out: Path, seed: int) -> dict[str, torch.Tensor]:
    words = english.make_lexicon(ENGLISH, WORDS, [("dog", 50_000_000)])
    rows, truth = english.make_examples(words, ENGLISH, BOOKS, random.Random(seed))
    assert rows.shape == (len(truth), ENGLISH_FEATURES) and truth.any() and not truth.all()
    left = fit_scorer(rows, truth, seed, epochs=30, batch=16)
    _, counts, total, often = chinese.make_model(CHINESE, DICTIONARY)
    table = chinese.make_table(often, lambda one: SOUNDS.get(one, []), PARTS.get)
    assert table["汽"] == {"气": 0} and table["园"] == {"圆": 0}
    pairs, right = chinese.make_examples(
        CHINESE, CHINESE, DICTIONARY, table, often, random.Random(seed)
    )
    assert pairs.shape == (len(right), CHINESE_FEATURES) and right.any()
    scorer = fit_scorer(pairs, right, seed, epochs=30, batch=16)
    tensors = {
        **words.tensors("en.words"),
        **english.make_model(words, ENGLISH, BOOKS).pairs.tensors("en.pairs"),
        **{f"en.scorer.{name}": part for name, part in left.items()},
        **counts.tensors("zh.counts"),
        **Confusions.of(table).tensors("zh.confusions"),
        **{f"zh.scorer.{name}": part for name, part in scorer.items()},
    }
    save(out, tensors, {"thresholds": THRESHOLDS, "total": total})
    return tensors


def test_it_repeats_itself_and_the_engine_reads_it(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    first, again = trained(tmp_path / "a", 7), trained(tmp_path / "b", 7)
    assert all(torch.equal(first[name], again[name]) for name in first)
    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    engine = build_editor("small", read_folder(tmp_path / "a"))
    inputs = [Editing().encode(text, EditingOptions()) for text in ("teh dog", "天汽")]
    assert all("edits" in raw for raw in engine.forward(engine.tokenize(inputs)))


def test_typos_made_by_chance() -> None:
    dice = random.Random(3)
    tokens, open_ = english.tokens_of("I don’t know their friend")
    assert (tokens[1], open_) == ("don't", [False, True, True, True, True])
    for _ in range(300):
        made = english.mistyped(tokens, open_, dice)
        if made is not None:
            place, meant, (wrong, still_open) = made
            assert len(wrong) == len(still_open)
            assert " ".join([*tokens[:place], meant]) in " ".join(tokens)
            assert wrong[place] != meant
        slipped = english.slip("friend", dice)
        assert slipped is None or (slipped != "friend" and slipped.isalpha())
    assert english.slip("at", dice) is None
    place, meant_, wrong_ = chinese.mistyped("天气", {"气": {"汽": 0}}, {"汽": 1.0}, dice) or (
        0,
        "",
        "",
    )
    assert (place, meant_, wrong_) == (1, "气", "天汽")
    assert chinese.mistyped("天", {}, {}, dice) is None


def test_the_network_learns_what_can_be_told_apart() -> None:
    rows = np.random.default_rng(1).normal(size=(400, 3)).astype(np.float32)
    parts = fit_scorer(rows, rows[:, 0] > 0, 1, epochs=20, batch=32)
    assert set(parts) == {
        "mean",
        "scale",
        *(f"{kind}{n}" for kind in ("weight", "bias") for n in range(3)),
    }


def test_the_command_names_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "github.com/thu-coai/CrossWOZ" in capsys.readouterr().err
    with pytest.raises(DataMissing, match="apt-get install scowl"):
        list(scowl_words(tmp_path))
    (tmp_path / "english-words.10").write_text("cat\ncat's\nNaïve\n", encoding="latin-1")
    assert list(scowl_words(tmp_path)) == ["cat"]
    assert next(chinese_words())[0]
