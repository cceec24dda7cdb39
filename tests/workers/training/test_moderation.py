"""The training command, on a few lines written here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lepton_tasks.nlp.base import ModelInput
from workers.engines.encoder import SentenceEncoder
from workers.engines.folder import read_folder
from workers.engines.text_classifier import build_text_classifier
from workers.features.ngrams import NgramSpec
from workers.training.command import DEFAULT_SEED
from workers.training.heads import save_folder
from workers.training.moderation import FACTS, main, train
from workers.training.moderation_recipe import HEADS, OPENAI_KEYS, SOURCES, gather
from workers.training.vectors import default_encoder

SMALL = {
    "en": NgramSpec(1 << 10, (3, 4), (1, 1)),
    "zh": NgramSpec(1 << 10, (1, 2), (0, 0)),
}
RUDE = ["you silly fool", "what a foolish clown you are", "fools and clowns, all of you"]
KIND = ["a lovely morning", "thanks for the lovely tea", "the tea was warm this morning"]
RUDE_ZH, KIND_ZH = ["你这个傻瓜", "真是傻瓜一个"], ["早上好", "谢谢你的茶"]


def write_data(data: Path) -> None:
    """Lay out every data set of the recipe with lines of our own."""

    def lines(name: str, rows: list[dict[str, object]]) -> None:
        folder = data / name
        folder.mkdir(parents=True)
        for split in ("train", "dev"):
            text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
            (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")

    def pairs(bad: list[str], good: list[str], yes: str, no: str) -> list[dict[str, object]]:
        return [
            {"text": f"{text} {turn}", "label": label}
            for texts, label in ((bad, yes), (good, no))
            for text in texts
            for turn in range(4)
        ]

    lines("mod_davidson", pairs(RUDE, KIND, "hate", "neither"))
    lines("mod_tweet_hate", pairs(RUDE, KIND, "hate", "not-hate"))
    lines("mod_tweet_offensive", pairs(RUDE, KIND, "offensive", "not-offensive"))
    lines("mod_cold", pairs(RUDE_ZH, KIND_ZH, "offensive", "safe"))
    known: list[dict[str, object]] = [
        {"text": row["text"], "labels": dict.fromkeys(OPENAI_KEYS, int(row["label"] == "bad"))}
        for row in pairs(RUDE, KIND, "bad", "good")
    ]
    unknown: dict[str, object] = {"text": "a lovely fool", "labels": dict.fromkeys(OPENAI_KEYS)}
    lines("mod_openai", [*known, unknown])
    lines("mt_tatoeba", [{"en": "the tea is warm", "zh": "茶是热的"}] * 5)
    lines("cls_banking77", [{"text": "how do I close my account"}] * 5)


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return default_encoder("moderation")


def test_train_save_load_and_tell_rude_from_kind(tmp_path: Path, encoder: SentenceEncoder) -> None:
    write_data(tmp_path / "data")
    examples = gather(tmp_path / "data", "train", str)
    cache = tmp_path / "vectors.npz"
    heads = train(examples, encoder, seed=DEFAULT_SEED, cache=cache, specs=SMALL)
    assert {language: list(by) for language, by in heads.items()} == {
        language: [recipe.category for recipe in recipes] for language, recipes in HEADS.items()
    }
    save_folder(tmp_path / "model", heads, SMALL, FACTS)
    engine = build_text_classifier(
        "tiny", read_folder(tmp_path / "model"), None, encoder, encoder.lane
    )
    rude, kind, rude_zh, kind_zh = engine.forward(
        engine.tokenize(
            [
                ModelInput("you foolish clown", "en"),
                ModelInput("a warm cup of tea", "en"),
                ModelInput("你是傻瓜", "zh"),
                ModelInput("早上喝茶", "zh"),
            ]
        )
    )
    for label in ("toxicity", "profanity", "hate"):
        assert rude[label] >= 0.5 > kind[label]
    assert rude_zh["toxicity"] >= 0.5 > kind_zh["toxicity"]

    again = train(examples, encoder, seed=DEFAULT_SEED, cache=cache, specs=SMALL)
    for language, by_label in heads.items():
        for label, head in by_label.items():
            np.testing.assert_allclose(again[language][label].bag, head.bag, atol=1e-9)


def test_missing_data_exits_2_naming_every_set_and_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    for source in SOURCES:
        assert source.data.name in said and source.data.source in said
    assert not (tmp_path / "out").exists()


def test_broken_lines_exit_2_naming_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path)
    (tmp_path / "mod_cold" / "train.jsonl").write_text("{not json", encoding="utf-8")
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "mod_cold/train.jsonl is not JSONL" in capsys.readouterr().err


def test_help_names_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert "mod_cold" in capsys.readouterr().out
