from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lepton_tasks.samples.generate import LANGUAGES, SAMPLE, comments, handwritten, templated

HAN = re.compile(r"[\u4e00-\u9fff]")
FOLDER = SAMPLE.parent


@pytest.fixture(scope="module")
def texts() -> list[str]:
    rows = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    assert all(set(row) == {"id", "text"} for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)
    return [row["text"] for row in rows]


def test_the_committed_sample_is_what_the_command_writes() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "lepton_tasks.samples.generate"], capture_output=True, check=True
    )
    assert made.stdout == SAMPLE.read_bytes()


def test_enough_distinct_comments_about_half_in_each_language(texts: list[str]) -> None:
    assert len(texts) >= 1200
    assert len(set(texts)) == len(texts)
    assert all(text == text.strip() and text for text in texts)
    chinese = sum(bool(HAN.search(text)) for text in texts)
    assert 0.45 < chinese / len(texts) < 0.55


def test_hand_written_lines_are_all_there(texts: list[str]) -> None:
    by_hand = [line for language in LANGUAGES for line in handwritten(FOLDER, language)]
    assert len(by_hand) >= 150
    assert set(by_hand) <= set(texts)


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("emoji", "[\U0001f300-\U0001faff]"),
        ("full-width letters", "[Ａ-Ｚａ-ｚ]"),
        ("traditional characters", "[這請問麵裡誰]"),
        ("mixed scripts", r"[\u4e00-\u9fff] ?[A-Za-z]{3,}"),
        ("long English", r"^(\S+ ){130,}"),
        ("long Chinese", r"[\u4e00-\u9fff，。；：？、]{150,}"),
    ],
)
def test_it_has_what_real_comments_have(texts: list[str], what: str, pattern: str) -> None:
    assert sum(bool(re.search(pattern, text)) for text in texts) >= 2, what


def test_a_theme_that_promises_too_much_is_named(tmp_path: Path) -> None:
    (tmp_path / "templates_en.toml").write_text(
        '[tiny]\ncount = 3\npatterns = ["{a}"]\na = ["x", "y"]\n'
    )
    with pytest.raises(ValueError, match=r"\[tiny\] makes 2 comments only"):
        templated(tmp_path, "en")


def test_the_same_comment_from_two_places_comes_once(tmp_path: Path) -> None:
    for language in LANGUAGES:
        (tmp_path / f"lines_{language}.txt").write_text("gg\nok\n", encoding="utf-8")
        (tmp_path / f"templates_{language}.toml").write_text(
            '[tiny]\ncount = 1\npatterns = ["{a}"]\na = ["gg"]\n'
        )
    assert sorted(row["text"] for row in comments(tmp_path)) == ["gg", "ok"]
