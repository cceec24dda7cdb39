"""Shorter, more formal, more polite: words and phrases that are put in the place of others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from workers.editing.draft import Change

WORDING: Final = "wording"
_LIKELY: Final = 0.8
"""How sure rules are whose phrase may mean something else."""

_FORMAL: Final[Mapping[str, str]] = {
    "can't": "cannot", "won't": "will not", "shan't": "shall not", "let's": "let us",
    "gonna": "going to", "wanna": "want to", "gotta": "have to", "gimme": "give me",
    "lemme": "let me", "dunno": "do not know", "kinda": "somewhat", "sorta": "somewhat",
    "yeah": "yes", "yep": "yes", "nope": "no", "pls": "please", "plz": "please",
    "thx": "thank you", "thanks": "thank you", "asap": "as soon as possible", "cuz": "because",
    "btw": "by the way", "fyi": "for your information", "hi": "hello", "hey": "hello",
    "bye": "goodbye", "kids": "children",
}  # fmt: skip
_CONTRACTION: Final = re.compile(
    r"(?<![\w'’])([A-Za-z]+?)(n['’]t|['’](?:re|ve|ll|m))(?![\w'’])", re.IGNORECASE
)
_ENDINGS: Final = {"n't": " not", "'re": " are", "'ve": " have", "'ll": " will", "'m": " am"}
_IS: Final = re.compile(
    r"(?<![\w'’])(it|that|there|he|she|what|who|where|here|how)['’]s\s+(\w+)", re.IGNORECASE
)
_HAS: Final = re.compile(r"(?:been|got|had|become|gone|done|come|taken|given|made|\w+ed)$")
_SHOUT: Final = re.compile(r"(?<=\w)!{2,}")
_SHORT: Final[Mapping[str, str]] = {
    "in order to": "to", "due to the fact that": "because", "owing to the fact that": "because",
    "in spite of the fact that": "although", "despite the fact that": "although",
    "at this point in time": "now", "at the present time": "now", "at the moment": "now",
    "in the event that": "if", "a large number of": "many", "a great number of": "many",
    "the majority of": "most", "is able to": "can", "are able to": "can", "was able to": "could",
    "were able to": "could", "has the ability to": "can", "with regard to": "about",
    "with respect to": "about", "for the purpose of": "for", "each and every": "every",
    "first of all": "first", "prior to": "before", "subsequent to": "after",
    "in the near future": "soon", "on a regular basis": "regularly", "as well as": "and",
    "in addition to": "besides", "until such time as": "until", "in close proximity to": "near",
    "make use of": "use", "makes use of": "uses", "take into consideration": "consider",
}  # fmt: skip
_FILLER: Final = re.compile(
    r"(?<![\w'’-])(?<!not )(?<!n['’]t )(?<!so )(?<!how )(?<!the )(?<!this )(?<!that )"
    r"(?:really|very|actually|basically|literally|quite) "
    r"(?!much\b|few\b|little\b|well\b|same\b|a\b|an\b|the\b)(?=[a-z])"
)
_OPENER: Final = re.compile(
    r"(?:(?<=\A)|(?<=[.!?] ))(?:As a matter of fact|To be honest|To tell the truth|Needless to say"
    r"|It goes without saying that|In my opinion|You know|I mean|Basically|Actually|Honestly),? "
    r"([A-Za-z])"
)
_WANT: Final = re.compile(r"(?<![\w'’])(I|[Ww]e) want(?= (?:to|a|an|the|some|you|my|your|more)\b)")
_CAN: Final = re.compile(
    r"(?<![\w'’])([Cc]an|[Ww]ill|[Cc]ould|[Ww]ould) you (?!please\b)(?=[a-z]+\b[^.!?\n]{0,200}\?)"
)
_IMPERATIVE: Final = re.compile(
    r"(?:(?<=\A)|(?<=[.!?] )|(?<=\n))(Let me know|(?:Send|Give|Tell|Call|Help|Fix|Check|Open|Close"
    r"|Show|Bring|Answer|Explain|Write|Read|Contact|Inform|Confirm|Review|Update|Forward|Return|Sign|Fill"
    r"|Add|Remove|Pay|Book|Cancel|Email|Remind)(?= (?:me|us|him|her|them|it|the|a|an|this|these"
    r"|those|my|your|our|his|their)\b)|(?:Wait|Come|Reply)(?= (?:for|here|to|back)\b))"
)
_MODALS: Final = {"can": "could", "will": "would", "could": "could", "would": "would"}

_CHINESE_FORMAL: Final[Mapping[str, str]] = {
    "咱们": "我们", "啥": "什么", "咋样": "怎么样", "咋": "怎么", "搞定": "完成", "没法": "无法",
    "一块儿": "一起", "今儿": "今天", "明儿": "明天", "昨儿": "昨天", "哪儿": "哪里",
    "这儿": "这里", "那儿": "那里", "谢啦": "谢谢", "干嘛": "做什么", "为啥": "为什么",
    "有点儿": "有些",
}  # fmt: skip
_PARTICLES: Final = re.compile(
    "(?<=[\u4e00-\u9fff])(?<![啊呀啦嘛哦哟呗哈])(?:[啊呀啦嘛哦哟呗哈]|哒)(?=[。！？，!?,~～]|$)"
)
_CHINESE_SHORT: Final[Mapping[str, str]] = {
    "除此之外": "此外", "与此同时": "同时", "由于这个原因": "因此", "在这种情况下": "此时",
    "绝大多数": "多数", "绝大部分": "大部分", "在很大程度上": "很大程度上", "是否能够": "能否",
    "为了能够": "为了", "之所以会": "之所以", "有着": "有", "进行了研究": "研究了",
}  # fmt: skip
_CHINESE_FILLER: Final = re.compile(
    "(?:说实话|老实说|说真的|众所周知|不可否认的是|事实上|总的来说|从某种意义上说|毫无疑问|坦率地说)，"
)
_IN_CASE: Final = re.compile("(?:如果|要是|假如|倘若|若是|万一)[^，。！？；\n]{1,30}?(的话)(?=，)")
_YOU: Final = re.compile("(?<!迷)你(?!们|好歹|我|死我活|来我往|追我赶)")
_ASK: Final = re.compile(
    "(?:(?<=\\A)|(?<=[。！？\n]))(?=帮我|给我(?!的)|告诉我(?![的们])|帮忙|发给我(?!的)|尽快|等一下|稍等"
    "|把[^，。！？]{1,12}(?:给|发|送)|注意(?![力到]))"
)


def formal(text: str, language: str) -> Iterator[Change]:
    """Contractions written out, words of speech replaced; in Chinese also particles left out."""
    if language != "zh":
        yield from _phrases(text, _FORMAL, 1.0)
        for match in _CONTRACTION.finditer(text):
            if match[0].lower().replace("’", "'") not in _FORMAL:
                ending = _ENDINGS[match[2].lower().replace("’", "'")]
                yield Change(match.start(2), match.end(2), ending, WORDING)
        for match in _IS.finditer(text):
            full = " has" if _HAS.match(match[2]) else " is"
            yield Change(match.end(1), match.end(1) + 2, full, WORDING, _LIKELY)
        for match in _SHOUT.finditer(text):
            yield Change(*match.span(), ".", WORDING, _LIKELY)
    if language != "en":
        yield from _chinese(text, _CHINESE_FORMAL)
        for match in _PARTICLES.finditer(text):
            yield Change(*match.span(), "", WORDING, _LIKELY)


def shorten(text: str, language: str) -> Iterator[Change]:
    """Long-winded phrases made short, fillers left out. No sentence is dropped.

    >>> from workers.editing.draft import Draft
    >>> text = "He is able to swim, due to the fact that he is very strong."
    >>> Draft.of(text).changed(shorten(text, "en")).text
    'He can swim, because he is strong.'
    """
    if language != "zh":
        yield from _phrases(text, _SHORT, _LIKELY)
        for match in _FILLER.finditer(text):
            yield Change(*match.span(), "", WORDING, _LIKELY)
        for match in _OPENER.finditer(text):
            yield Change(*match.span(), match[1].upper(), WORDING, _LIKELY)
    if language != "en":
        yield from _chinese(text, _CHINESE_SHORT)
        for match in _CHINESE_FILLER.finditer(text):
            yield Change(*match.span(), "", WORDING, _LIKELY)
        for match in _IN_CASE.finditer(text):
            yield Change(*match.span(1), "", WORDING, _LIKELY)


def polite(text: str, language: str) -> Iterator[Change]:
    """Please, would like, could you; in Chinese 您 and 请.

    >>> from workers.editing.draft import Draft
    >>> [Draft.of(text).changed(polite(text, language)).text
    ...     for text, language in (("Send me the file.", "en"), ("你帮我看看。", "zh"))]
    ['Please send me the file.', '您帮我看看。']
    """
    if language != "zh":
        for match in _WANT.finditer(text):
            yield Change(match.end(1), match.end(), " would like", WORDING)
        for match in _CAN.finditer(text):
            modal = _MODALS[match[1].lower()]
            after = f"{modal if match[1].islower() else modal.title()} you please "
            yield Change(*match.span(), after, WORDING, _LIKELY)
        for match in _IMPERATIVE.finditer(text):
            after = f"Please {match[1][0].lower()}{match[1][1:]}"
            yield Change(*match.span(), after, WORDING, _LIKELY)
    if language != "en":
        for match in _YOU.finditer(text):
            yield Change(*match.span(), "您", WORDING)
        for match in _ASK.finditer(text):
            yield Change(*match.span(), "请", WORDING, _LIKELY)


STYLES: Final[Mapping[str, Callable[[str, str], Iterator[Change]]]] = {
    "formal": formal,
    "polite": polite,
    "shorten": shorten,
}
"""The rules of every instruction but ``fix``, by its name."""


def _phrases(text: str, table: Mapping[str, str], score: float) -> Iterator[Change]:
    """English phrases replaced, a capital at the start kept."""
    phrases = "|".join(sorted(table, key=len, reverse=True)).replace("'", "['’]")
    pattern = re.compile(rf"(?<![\w'’-])(?:{phrases})(?![\w'’-])", re.IGNORECASE)
    for match in pattern.finditer(text):
        after = table[match[0].lower().replace("’", "'")]
        if match[0][0].isupper():
            after = after[0].upper() + after[1:]
        yield Change(*match.span(), after, WORDING, score)


def _chinese(text: str, table: Mapping[str, str]) -> Iterator[Change]:
    for match in re.finditer("|".join(sorted(table, key=len, reverse=True)), text):
        yield Change(*match.span(), table[match[0]], WORDING, _LIKELY)
