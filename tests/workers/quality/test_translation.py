"""The report on translation, on a few sentences written here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workers.quality.translation import DIRECTIONS, measure, nearest, scores
from workers.training.datasets import DataMissing, Row

TRAIN: list[Row] = [
    {"en": "The red lamp is broken.", "zh": "紅色的灯坏了。"},
    {"en": "We drink tea in the garden.", "zh": "我们在花园里喝茶。"},
]
DEV: list[Row] = [
    {"en": "We drink tea in the kitchen.", "zh": "我们在厨房里喝茶。"},
    {"en": "The lamp is red.", "zh": "這盞灯是红色的。"},
]
TO_CHINESE, TO_ENGLISH = DIRECTIONS


def test_the_model_stands_beside_answers_without_one(tmp_path: Path) -> None:
    folder = tmp_path / "mt_tatoeba"
    folder.mkdir()
    for part, rows in (("train", TRAIN), ("dev", DEV)):
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / f"{part}.jsonl").write_text(lines, encoding="utf-8")
    report = measure(tmp_path)
    assert report.startswith("## Translation\n")
    assert report.count("\n| en → zh, characters | ") == 3
    assert report.count("\n| zh → en, words | ") == 3
    assert "| [31.4](https://github.com/Helsinki-NLP/Tatoeba-Challenge/" in report
    assert "| en → zh, characters | the source, copied | 0.0 | 0.0 | " in report


def test_the_pair_most_alike() -> None:
    found = nearest(TRAIN, [row["en"] for row in DEV], TO_CHINESE)
    assert found == ["我们在花园里喝茶。", "紅色的灯坏了。"]
    found = nearest(TRAIN, ["红色的灯"], TO_ENGLISH)
    assert found == ["The red lamp is broken."]


def test_scripts_are_one_but_for_the_references_as_they_are() -> None:
    right = ["我们在厨房里喝茶。", "这盏灯是红色的。"]
    simple, as_they_are, chrf = scores(right, DEV, TO_CHINESE)
    assert simple == pytest.approx(100) and chrf == pytest.approx(100)
    assert 50 < as_they_are < 100
    english = [row["en"] for row in DEV]
    assert scores(english, DEV, TO_ENGLISH) == pytest.approx((100, 100, 100))


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="mt_tatoeba"):
        measure(tmp_path)
