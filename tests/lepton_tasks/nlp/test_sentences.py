"""Where sentences end: cases in both languages, and laws that hold for any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.nlp.sentences import LONGEST, split_sentences

MARKS = "aB3好。！？.!?…；，,;:\"'”“’)）] \n\t\u3000-1"
ANY = st.text(st.one_of(st.sampled_from(MARKS), st.characters(codec="utf-8")), max_size=120)


def parts(text: str, longest: int = LONGEST) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text, longest)]


@pytest.mark.parametrize(
    "expected",
    [
        ["It rained.", "We stayed!", "Did you?", "Yes."],
        ["Mr. Smith met Dr. Jones vs. Prof. Brown.", "They talked."],
        ["See Fig. 3 and Eq. 4, e.g. the first one.", "It is clear."],
        ["Prices rose 3.5 percent to $1.20 a litre.", "Sales fell."],
        ["He moved to the U.S. in 1990.", "She stayed."],
        ["He left the U.S.", "She stayed."],
        ["J. K. Rowling wrote it.", "So did I.", "Really."],
        ['"Where is it?" she asked.', '"Here!"', "He smiled."],
        ["Yahoo! was founded in 1994.", "It grew."],
        ["The depletion stopped.[12]", "Nobody knew why.[3][4]", "It returned."],
        ["I waited... and waited.", "Nobody came..."],
        ["Use node.js or example.org/a.b?c=d for that.", "Fine."],
        ["1. Boil the water.", "2. Add the tea."],
    ],
)
def test_english(expected: list[str]) -> None:
    assert parts(" ".join(expected)) == expected


@pytest.mark.parametrize(
    "expected",
    [
        ["今天下雨。", "我们没出门！", "你呢？", "没有."],
        ["“你去哪里？”", "他问。", "（见图3.5。）", "她说：“我不知道，真的。”"],
        ["他想了想……", "没有说话。"],
        ["提出了一种新方法.", "LDA模型的误差为3.5%.", "结果更好."],
        ["繁體字的句子也一樣。", "對嗎？", "對！"],
        ["全角．", "ＡＢＣ也行。", "好😀。"],
        ["“走吧！”，他说，“天要黑了。”", "大家都同意；没有人反对。"],
        ["第一行\n还是第一句。", "iPhone 15 卖得很好！", "It sold well."],
    ],
)
def test_chinese_and_mixed(expected: list[str]) -> None:
    assert parts("".join(expected)) == expected


def test_blank_lines_and_list_items_end_a_sentence_and_other_line_ends_do_not() -> None:
    text = "A title\n\nThe first line\ngoes on here. Then:\n- one thing\n- another\n\n\n说明\n\n完"
    assert parts(text) == [
        "A title",
        "The first line\ngoes on here.",
        "Then:",
        "- one thing",
        "- another",
        "说明",
        "完",
    ]


def test_what_is_too_long_is_cut_at_punctuation_or_a_space() -> None:
    assert parts("word " * 50, 24) == ["word word word word"] * 12 + ["word word"]
    assert parts("啊" * 5 + "，" + "呀" * 5, 8) == ["啊" * 5 + "，", "呀" * 5]
    assert parts("x" * 20, 8) == ["x" * 8, "x" * 8, "x" * 4]


@given(ANY, st.integers(1, 60))
def test_spans_are_ordered_trimmed_bounded_and_lose_nothing(text: str, longest: int) -> None:
    end = 0
    kept = []
    for start, stop in split_sentences(text, longest):
        assert end <= start < stop <= len(text)
        part = text[start:stop]
        assert part == part.strip() and len(part) <= longest
        assert not text[end:start].strip()
        kept.append(part)
        end = stop
    assert "".join("".join(kept).split()) == "".join(text.split())


@pytest.mark.parametrize("unit", [" ", ".", "a.", "\n", "\n ", "!?", "…", ". ", '"', "1.\n", "好"])
def test_texts_made_to_be_slow_are_not(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    assert sum(end - start for start, end in split_sentences(text)) <= len(text)
