"""Training the tagger's tables on a small made-up treebank: learns, repeats itself, is loadable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from workers.engines.folder import read_folder
from workers.engines.tagger import build_tagger
from workers.training.tagging import RECIPES, Recipe, features_of, fit, main, save

ENGLISH = [
    {"tokens": ["The", "dog", "barks", "."], "upos": ["DET", "NOUN", "VERB", "PUNCT"]},
    {"tokens": ["A", "cat", "sleeps", "."], "upos": ["DET", "NOUN", "VERB", "PUNCT"]},
    {"tokens": ["The", "bird", "sings", "!"], "upos": ["DET", "NOUN", "VERB", "_"]},
] * 8
SMALL = Recipe(RECIPES["en"].data, buckets=1 << 10, epochs=4, rate=0.2, dropped=0.1)


def test_it_learns_and_repeats_itself(tmp_path: Path) -> None:
    found = features_of(ENGLISH, "en", SMALL.buckets)
    tags = [tag for row in ENGLISH for tag in row["upos"]]
    table, again = fit(found, tags, SMALL, 7), fit(found, tags, SMALL, 7)
    assert torch.equal(table.weights, again.weights) and torch.equal(table.bias, again.bias)
    assert table.weights.dtype == torch.int8 and int(table.weights.abs().max()) == 127
    save(tmp_path, {"en": table}, {"seed": 7})
    tagger = build_tagger("small", read_folder(tmp_path))
    assert tagger.tag([["A", "dog", "sings", "."]], "en") == ["DET", "NOUN", "VERB", "PUNCT"]
    with pytest.raises(KeyError):
        tagger.tag([["我"]], "zh")


def test_the_command_writes_a_folder_and_names_missing_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "UD_English-EWT" in capsys.readouterr().err
    chinese = [{"tokens": ["我", "走", "。"], "upos": ["PRON", "VERB", "PUNCT"]}]
    for name, rows in (("pos_ewt", ENGLISH[:3]), ("pos_gsd_zh", chinese)):
        (tmp_path / name).mkdir()
        lines = [json.dumps(row) for row in rows]
        (tmp_path / name / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert main(arguments) == 0
    folder = read_folder(tmp_path / "out")
    assert sorted(folder.config["languages"]) == ["en", "zh"]
    assert folder.config["data"]["zh"] == "pos_gsd_zh, CC BY-SA 4.0"
