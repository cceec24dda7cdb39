"""Raw text to documents: cleaned, each once, a part held out."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.training.datasets import DataMissing
from workers.training.decoder.corpus import Counts, read_corpus, read_documents, write_corpus

TEXT = "今天天气很好。\n我们去公园。\n\n\nOne line.\n  \nＡ　last 🙂 one"


def documents(tmp_path: Path, text: str, *, by_line: bool = False) -> list[str]:
    file = tmp_path / "text.txt"
    file.write_text(text, encoding="utf-8")
    return list(read_documents(file, by_line=by_line))


def test_blank_lines_or_all_lines_end_a_document(tmp_path: Path) -> None:
    assert documents(tmp_path, TEXT) == [
        "今天天气很好。\n我们去公园。\n",
        "One line.\n",
        "Ａ　last 🙂 one",
    ]
    assert len(documents(tmp_path, TEXT, by_line=True)) == 4
    assert documents(tmp_path, "\n \n") == []


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"away\.txt does not exist"):
        list(read_documents(tmp_path / "away.txt", by_line=False))
    file = tmp_path / "big5.txt"
    file.write_bytes("今天".encode("big5"))
    with pytest.raises(DataMissing, match=r"big5\.txt is not UTF-8 at byte 0"):
        list(read_documents(file, by_line=False))


def test_each_document_comes_once_and_what_is_held_out_first_stays_out(tmp_path: Path) -> None:
    given = [
        ("dev", "今天"),
        ("train", "今天"),
        ("train", "A  day "),
        ("train", "A day"),
        (None, ""),
    ]
    counts = write_corpus(tmp_path, given, 0.5)  # type: ignore[arg-type]
    assert counts == Counts(train=1, dev=1, repeated=2, characters=7)
    assert list(read_corpus(tmp_path, "dev")) == [("今天", "zh")]
    assert list(read_corpus(tmp_path, "train")) == [("A day", "en")]


def test_the_text_alone_decides_what_is_held_out(tmp_path: Path) -> None:
    texts = [f"第 {number} 句" for number in range(300)]
    write_corpus(tmp_path / "a", ((None, one) for one in texts), 0.2)
    write_corpus(tmp_path / "b", ((None, one) for one in reversed(texts)), 0.2)
    held = {text for text, _ in read_corpus(tmp_path / "a", "dev")}
    assert held == {text for text, _ in read_corpus(tmp_path / "b", "dev")}
    assert 30 < len(held) < 90


def test_without_prepare_there_is_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="run the step prepare first"):
        list(read_corpus(tmp_path, "train"))
