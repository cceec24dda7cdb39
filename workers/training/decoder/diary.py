"""A small text to learn from: ``python -m workers.training.decoder.diary > diary.txt``.

Diary entries of two sentences, half Chinese, half English, written for this project as
patterns and lists. ``--seed`` and ``--entries`` decide the text, and nothing else does.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class _Words:
    """What an entry is put together from: ``plans`` by weather, so that the second half fits."""

    days: Sequence[str]
    times: Sequence[str]
    people: Sequence[str]
    plans: dict[str, Sequence[str]]
    endings: Sequence[str]
    patterns: Sequence[str]


_ZH: Final = _Words(
    days=("今天", "昨天", "星期一", "星期三", "星期天", "生日那天", "放假第一天"),
    times=("早上", "上午", "下午", "傍晚", "晚上"),
    people=("我", "我们", "妈妈和我", "小王", "爷爷", "弟弟", "我的同学"),
    plans={
        "天气很好": (
            "去公园散步",
            "在河边放风筝",
            "骑车去了图书馆",
            "到山上看风景",
            "在院子里种花",
        ),
        "下雨了": ("在家看书", "包了饺子", "在窗边听雨", "做了一锅汤", "看了一部老电影"),
        "下雪了": ("堆了一个雪人", "在湖上滑冰", "喝了热茶", "给鸟儿撒了米", "早早回家吃火锅"),
        "风很大": ("把窗户关好", "在家写信", "修好了旧自行车", "去游泳馆游泳", "在家练习书法"),
    },
    endings=(
        "大家都很高兴。",
        "真是难忘的一天。",
        "回家时已经很晚了。",
        "明天还想再来。",
        "晚饭吃得特别香。",
    ),
    patterns=("{day}{sky}，{who}{plan}。{end}", "{day}{time}{sky}，{who}{plan}。{end}"),
)
_EN: Final = _Words(
    days=("Today", "Yesterday", "On Monday", "On Wednesday", "On Sunday", "On my birthday"),
    times=("in the morning", "in the afternoon", "at noon", "in the evening"),
    people=("I", "we", "my mother and I", "my friend", "grandfather", "the children"),
    plans={
        "the weather was fine": (
            "went for a walk in the park",
            "flew a kite by the river",
            "rode to the library",
            "planted flowers in the yard",
        ),
        "it rained": ("read at home", "made dumplings", "watched an old film", "cooked some soup"),
        "it snowed": ("built a snowman", "skated on the lake", "drank hot tea", "fed the birds"),
        "the wind was strong": ("wrote letters", "repaired the old bicycle", "swam in the hall"),
    },
    endings=(
        "Everybody was happy.",
        "It was a day to remember.",
        "We came home late.",
        "Dinner tasted better than ever.",
    ),
    patterns=("{day} {sky}, and {who} {plan}. {end}", "{day} {sky} {time}, so {who} {plan}. {end}"),
)


def entries(count: int, seed: int) -> Iterator[str]:
    """Yield ``count`` entries, the languages by turns.

    >>> list(entries(2, 7)) == list(entries(2, 7)), len(set(entries(50, 7))) > 40
    (True, True)
    """
    dice = random.Random(seed)
    for place in range(count):
        words = (_ZH, _EN)[place % 2]
        sky = dice.choice(list(words.plans))
        yield dice.choice(words.patterns).format(
            day=dice.choice(words.days),
            time=dice.choice(words.times),
            who=dice.choice(words.people),
            sky=sky,
            plan=dice.choice(words.plans[sky]),
            end=dice.choice(words.endings),
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the text, a blank line between two entries."""
    parser = argparse.ArgumentParser(prog="python -m workers.training.decoder.diary")
    parser.add_argument("--entries", type=int, default=6000, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="(%(default)s)")
    chosen = parser.parse_args(arguments)
    for entry in entries(chosen.entries, chosen.seed):
        sys.stdout.buffer.write(f"{entry}\n\n".encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
