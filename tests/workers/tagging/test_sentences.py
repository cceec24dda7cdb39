"""Ends of sentences in two languages: marks, quotes, abbreviations, ellipses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.tagging.sentences import split_sentences

PIECES = ["Dr. ", "Hello. ", "What?! ", "U.S. ", "\n",
          "...", "……", "。", "！”", "“", "他说：", "）",
          " he ", "3.5", ".", " ", "A. "]  # fmt: skip


@pytest.mark.parametrize(
    "sentences",
    [
        ["It rains.", "We stay at home!", "Why?"],
        ["Dr. Wu met Mrs. Li at 3.30 p.m. on Main St. in the U.S. yesterday.", "She left."],
        ["J. R. R. Tolkien wrote it.", "So did I.", "He laughed."],
        ["“Go away!” he said.", "She went."],
        ['He said "no."', "Then he left."],
        ["Wait... what?", "Well...", "He left."],
        ["See sec. 3.2 for it.", "2 apples.", "你好。"],
        ["I have no.", "But No. 5 is here."],
    ],
)
def test_english(sentences: list[str]) -> None:
    text = " ".join(sentences)
    assert [text[start:end] for start, end in split_sentences(text)] == sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["今天下雨。", "我们在家！", "为什么？"],
        ["他说：“走吧！”", "然后走了。"],
        ["“真的吗？”，他问。", "没人……没人回答。"],
        ["他说：“等等……”", "夜深了。"],
        ["太好了！！！", "真的？！", "是的。"],
        ["版本是3.5.1。", "价格12.8元；", "很贵。"],
        ["這是繁體。", "（還有一句。）", "完了"],
        ["行!", "很好。"],
    ],
)
def test_chinese(sentences: list[str]) -> None:
    text = "".join(sentences)
    assert [text[start:end] for start, end in split_sentences(text)] == sentences


def test_a_line_ends_a_sentence() -> None:
    text = "Title without a mark\nThe text. 正文"
    assert [text[start:end] for start, end in split_sentences(text)] == [
        "Title without a mark",
        "The text.",
        "正文",
    ]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=15).map("".join))
def test_sentences_cover_all_but_white_space_in_order(text: str) -> None:
    spans = list(split_sentences(text))
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in spans)
    edges = [0, *(place for span in spans for place in span), len(text)]
    assert edges == sorted(edges)
    gaps = [text[edges[at] : edges[at + 1]] for at in range(0, len(edges), 2)]
    assert not "".join(gaps).strip()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", [*PIECES, ". ", "a.", '."', ". A"])
def test_no_text_stalls_the_rules(piece: str) -> None:
    list(split_sentences((piece * 20_000)[:20_000]))
