"""Rules of English and Chinese words: said twice, small letters, articles, missing apostrophes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from workers.editing.draft import Change
from workers.tagging.english import ABBREVIATIONS

REPEAT: Final = "repeat"
CASING: Final = "casing"
GRAMMAR: Final = "grammar"
TYPO: Final = "typo"

_TWICE: Final = re.compile(
    r"(?<![\w'’-])([A-Za-z]+(?:['’][a-z]+)?)(\s+)([A-Za-z]+(?:['’][a-z]+)?)(?![\w'’-])"
)
_REPEATABLE: Final = (
    "that had very no bye so ha go really many long far much more again never ever yes well oh ah "
    "blah knock there now please wait come stop hey yeah hear tut too big old little one two her "
    "you it do out in on"
)
_MAY_REPEAT: Final = frozenset(_REPEATABLE.split())
_PAIR_TWICE: Final = re.compile("([\u4e00-\u9fff]{2})\\1(?!\\1)")
_VERBS_TWICE: Final = (
    "讨论 研究 休息 考虑 商量 打扫 收拾 了解 学习 活动 锻炼 放松 高兴 热闹 认识 检查 参观 "
    "介绍 练习 准备 教育 交流 沟通 体验 感受 照顾 打听 琢磨 解释 清理 整理 暖和 凉快 轻松 "
    "开心 比较 调查 反省 反思 科普 关心 帮助 支持 尝试 回忆 品尝 欣赏 分析 观察 加油 拜拜 "
    "一个 多少 可能 真的 不要 不行 不是 赶紧 赶快 快点 抱歉 再见 恭喜 厉害 佩服 我的 你的 "
    "他的"
)
_DONE_TWICE: Final = frozenset(_VERBS_TWICE.split())
_CHINESE_TWICE: Final = re.compile("(的|在|和|是|与|把|被)\\1(?!\\1)")
_CHINESE_MEANT: Final = {
    "的": ("目", "确确"),
    "在": ("现存正所内潜实自好还", ""),
    "是": ("于还总但可就要只凡老不或都既", "非"),
    "和": ("", "气睦谐"),
    "与": ("参", ""),
}
_FIRST_WORD: Final = re.compile(
    r"(?:\A\s*|(?<![A-Za-z.])([A-Za-z]{2,24})[.!?][\"”'’)]? +)[\"“'‘(]?([a-z]+)(?=[\s,'’])"
)
_ALONE: Final = re.compile(r"(?<![\w'’.@#/-])i(?=(?:['’](?:m|ve|ll|d|s))?(?:\s|[,;!?]|\.(?!\w)|$))")
_ARTICLE: Final = re.compile(r"(?<![\w'’.-])([Aa]n?)(\s+)([a-z]{2,})(?![\w])")
_AN: Final = re.compile(
    r"(?!one(?:s|ness|-|$)|once|ee?u|ewe|ouija|oui)[aeio]|u(?:n(?!i|an)|p|g|m|l|tt)"
    r"|hour|honest|honou?r|heir"
)
_A: Final = re.compile(
    r"[bcdfgjklmnpqrstvwyz]|h(?!our|onest|onou?r|eir|erb|ist|otel|abit|ero)"
    r"|uni(?!n|m)|use|usu|eu|one\b|once"
)
_FUNCTION_WORDS: Final = "is are am and or in of on at as if it us up about after any all"
_NO_NOUN: Final = frozenset(_FUNCTION_WORDS.split())
_AGREE: Final = re.compile(
    r"(?<![\w'’])([Ii]|[Ww]e|[Tt]hey|[Hh]e|[Ss]he)(\s+)(has|is|are)(?![\w'’])"
)
_VERBS: Final = {
    ("i", "has"): "have",
    ("we", "has"): "have",
    ("they", "has"): "have",
    ("i", "is"): "am",
    ("i", "are"): "am",
    ("we", "is"): "are",
    ("they", "is"): "are",
    ("he", "are"): "is",
    ("she", "are"): "is",
}
_APOSTROPHES: Final = (
    "don't can't won't didn't doesn't isn't aren't wasn't weren't couldn't wouldn't shouldn't "
    "hasn't haven't hadn't I'm I've that's there's what's you're they're you've we've he's she's"
)
_APART: Final = (
    "a lot|in fact|as well|each other|no one|every time|in case|at least|thank you|of course"
)
_WRITTEN: Final = {
    **{word.replace("'", "").lower(): word for word in _APOSTROPHES.split()},
    **{words.replace(" ", ""): words for words in _APART.split("|")},
}
_WRITTEN_WORD: Final = re.compile(
    rf"(?<![\w'’.@#/-])(?:{'|'.join(_WRITTEN)})(?![\w'’@/-]|\.\w)", re.IGNORECASE
)


def english_repeats(text: str) -> Iterator[Change]:
    """A word that stands twice, unless it is one of those that may.

    >>> [text for text in ("the the cat", "very very big") if list(english_repeats(text))]
    ['the the cat']
    """
    at = 0
    while (match := _TWICE.search(text, at)) is not None:
        first, second = match[1].lower(), match[3].lower()
        same = (first == second and match[3] != match[3].upper()) or match[1] == match[3] == "a"
        if same and first not in _MAY_REPEAT and "\n\n" not in match[2]:
            yield Change(match.end(1), match.end(3), "", REPEAT)
            at = match.end(3)
        else:
            at = match.start(3)


def chinese_repeats(text: str, is_pair: Callable[[str], bool]) -> Iterator[Change]:
    """A word of two characters, or a function word of one, that stands twice.

    Verbs may ("讨论讨论"), and so may what makes another word ("目的|的"); ``is_pair`` says
    what is a word.

    >>> [[one.start for one in chinese_repeats(text, lambda pair: True)]
    ...     for text in ("我们我们去", "目的的选择", "讨论讨论")]
    [[2], [], []]
    """
    for match in _PAIR_TWICE.finditer(text):
        pair = match[1]
        if pair[0] != pair[1] and pair not in _DONE_TWICE and is_pair(pair):
            yield Change(match.start() + 2, match.end(), "", REPEAT)
    for match in _CHINESE_TWICE.finditer(text):
        before, after = _CHINESE_MEANT.get(match[1], ("", ""))
        left, right = text[max(0, match.start() - 1) : match.start()], text[match.end() :][:1]
        if left == match[1] or (left and left in before) or (right and right in after):
            continue
        yield Change(match.start() + len(match[1]), match.end(), "", REPEAT)


def english_casing(text: str, known: Callable[[str], bool]) -> Iterator[Change]:
    """A capital for "I", and for the known word that begins a sentence.

    >>> from workers.editing.draft import Draft
    >>> text = "well, i see. it works."
    >>> Draft.of(text).changed(english_casing(text, str.isalpha)).text
    'Well, I see. It works.'
    """
    at = 0
    while (match := _FIRST_WORD.search(text, at)) is not None:
        start, at = match.start(2), match.start(2) + 1
        before, word = (match[1] or "").lower(), match[2]
        if before in ABBREVIATIONS or (before and not known(before)) or not known(word):
            continue
        if len(word) > 1 or word in "ai":
            yield Change(start, start + 1, word[0].upper(), CASING)
    for match in _ALONE.finditer(text):
        yield Change(*match.span(), "I", CASING)


def english_grammar(text: str, known: Callable[[str], bool]) -> Iterator[Change]:
    """The articles by the sound that follows them, verbs that never go with their pronoun."""
    for match in _ARTICLE.finditer(text):
        article, word = match[1], match[3]
        if not known(word) or word in _NO_NOUN:
            continue
        if article.lower() == "a" and _AN.match(word) and match[1] != "A":
            yield Change(match.start(1), match.end(1), "an", GRAMMAR)
        elif article.lower() == "an" and _A.match(word) and not _AN.match(word):
            yield Change(match.start(1), match.end(1), article[0], GRAMMAR)
    for match in _AGREE.finditer(text):
        verb = _VERBS.get((match[1].lower(), match[3]))
        if verb is not None:
            yield Change(match.start(3), match.end(3), verb, GRAMMAR)


def written_apart(text: str) -> Iterator[Change]:
    """Apostrophes and spaces that are often left out."""
    for match in _WRITTEN_WORD.finditer(text):
        word = match[0]
        if word.lower() == word or word.istitle():
            after = _WRITTEN[word.lower()]
            yield Change(
                *match.span(), after[0].upper() + after[1:] if word.istitle() else after, TYPO
            )
