"""Chinese words: jieba without its cache and its log, mixed with other scripts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.tagging.chinese import ChineseWords

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def chinese() -> ChineseWords:
    return ChineseWords()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("我来到北京清华大学。", "我 来到 北京 清华大学 。"),
        ("他用iPhone 15发e-mail给li@x.org", "他 用 iPhone 15 发 e-mail 给 li@x.org"),
        ("價格是$12.80！", "價格 是 $ 12.80 ！"),
        ("👍太棒了……", "👍 太棒了 ……"),
    ],
)
def test_words(chinese: ChineseWords, text: str, words: str) -> None:
    assert " ".join(text[start:end] for start, end in chinese.split(text)) == words


def test_kinds(chinese: ChineseWords) -> None:
    assert (chinese.kind("北京"), chinese.kind("走"), chinese.kind("qwerty")) == ("ns", "v", "")


def test_a_long_run_of_rare_characters_is_cut_in_pieces(chinese: ChineseWords) -> None:
    text = "魑魅" * 5_000
    spans = list(chinese.split(text))
    assert "".join(text[start:end] for start, end in spans) == text


def test_nothing_is_written_or_printed(tmp_path: Path) -> None:
    """The folder for temporary files stays empty."""
    code = (
        "from workers.tagging.chinese import ChineseWords\n"
        "print(len(list(ChineseWords().split('我来到北京'))))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")
    assert list(tmp_path.iterdir()) == []
