"""Rules of spaces, marks and words, each on what it corrects and on what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from workers.editing import spacing, wordings
from workers.editing.draft import Change, Draft
from workers.editing.protected import allowed, protected
from workers.editing.styles import STYLES

WORDS = "a i yes no well apple an hour unit it the this is see cat dog works two done"
KNOWN = frozenset(WORDS.split())


def edited(text: str, changes: Iterable[Change]) -> str:
    mask = protected(text)
    return Draft.of(text).changed(allowed(changes, mask)).text


def fixed(text: str) -> str:
    known = KNOWN.__contains__
    rules: list[Callable[[str], Iterable[Change]]] = [
        spacing.neutral_spaces,
        lambda one: spacing.chinese_spaces(one, {"今天", "天气"}.__contains__),
        spacing.chinese_marks,
        lambda one: wordings.chinese_repeats(one, lambda pair: True),
        spacing.english_marks,
        lambda one: spacing.english_spaces(one, known),
        wordings.english_repeats,
        wordings.written_apart,
        lambda one: wordings.english_grammar(one, known),
        lambda one: wordings.english_casing(one, known),
        spacing.doubled_marks,
    ]
    for rule in rules:
        text = edited(text, rule(text))
    return text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Yes ,it is .", "Yes, it is."),
        ("One  two,three", "One two, three"),
        ("It works.See this", "It works. See this"),
        ("Yes，no。", "Yes, no."),
        ("Yes,, no..", "Yes, no."),
        ("the the cat", "The cat"),
        ("a a dog", "A dog"),
        ("this is an unit in a hour", "This is a unit in an hour"),
        ("i dont see. it works", "I don't see. It works"),
        ("It is alot.", "It is a lot."),
        ("今 天，天气很好,是吗?对.", "今天，天气很好，是吗？对。"),
        ("我们我们走。。", "我们走。"),
        ("用Python3,很好!", "用Python3，很好！"),
        ("ＡＢＣ", "ABC"),
    ],
)
def test_what_is_put_right(text: str, wanted: str) -> None:
    assert fixed(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "Wait... that that had had very very big.",
        "See http://a.com/x,y?b;c and me@x.org, v1.2.3, 1,000 or 3.5!",
        "`a  b ,c` and x_y.z_a @some #a /usr/local/bin",
        "```\nif x ,y:\n    z(a  ,b)\n```",
        "Is it 10:30? ;) :) <b>x</b>",
        "目的的选择，他现在在家，于是是否，参与与否。",
        "讨论讨论，张三 李四 王五 赵六。",
        "好的。。。真的……",
        "Version A is best; see e.g. this, i.e. that, i-th.",
        "😀 👍🏽 好👨‍👩‍👧！",
        "Mr. O'Neill's U.S. company",
        "第3,4章,A,B",
    ],
)
def test_what_is_left_alone(text: str) -> None:
    assert fixed(text) == text


def test_terms_of_the_job_are_protected() -> None:
    mask = protected("teh foo ,bar", ["teh", "foo ,bar"])
    assert bytes(mask) == b"\1\1\1\0" + b"\1" * 8
    inside = [Change(5, 5, "x", "k"), Change(0, 2, "", "k"), Change(3, 4, "", "k")]
    assert allowed(inside, mask) == [inside[2]]


@pytest.mark.parametrize(
    ("instruction", "text", "wanted"),
    [
        ("formal", "I can't, it's late, we've gone!!", "I cannot, it is late, we have gone."),
        ("formal", "He's been there. Thanks", "He has been there. Thank you"),
        ("formal", "咱们干嘛去啊？", "我们做什么去？"),
        ("shorten", "In order to win, really try.", "To win, try."),
        ("shorten", "Actually, it is basically done.", "It is done."),
        ("shorten", "事实上，除此之外没有问题。", "此外没有问题。"),
        ("polite", "Call me. I want to go. Can you help?",
         "Please call me. I would like to go. Could you please help?"),
        ("polite", "帮我看看，你们在哪？你来吧。", "请帮我看看，你们在哪？您来吧。"),
    ],
)  # fmt: skip
def test_rewording(instruction: str, text: str, wanted: str) -> None:
    assert edited(text, STYLES[instruction](text, "")) == wanted


@pytest.mark.parametrize(
    ("instruction", "text"),
    [
        ("shorten", "It is not very good, quite a few saw it, thanks very much."),
        ("shorten", "你说的话，我都记得。"),
        ("polite", "Book prices rose. Contact lenses help. Open source is here."),
        ("polite", "迷你裙给我的感觉不错，把它送到店里。注意力很重要。"),
        ("formal", "哈哈哈。O'Neill's kids' books"),
    ],
)
def test_what_is_not_reworded(instruction: str, text: str) -> None:
    assert edited(text, STYLES[instruction](text, "")) == text


def test_rules_of_one_language_alone() -> None:
    assert next(iter(STYLES["polite"]("Call me. 你好", "en"))).after == "Please call"
    assert [one.after for one in STYLES["polite"]("Call me. 你好", "zh")] == ["您"]
