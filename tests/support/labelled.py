"""Small labelled sets, Chinese and English, that a few words decide."""

from __future__ import annotations

import random
from collections.abc import Sequence

_SUBJECTS = {
    "en": ["the soup", "our room", "this phone", "the courier", "the film", "my seat"],
    "zh": ["这碗汤", "房间", "这部手机", "快遞員", "电影", "座位"],
}
_SAYS = {
    "positive": {
        "en": ["was grand", "made us happy", "is a bargain", "delighted everybody"],
        "zh": ["真贊", "让人满意", "很划算", "谁都喜欢"],
    },
    "negative": {
        "en": ["was a letdown", "made us leave", "is a rip-off", "annoyed everybody"],
        "zh": ["太坑了", "让人失望", "不值这个價", "谁都嫌弃"],
    },
}
_ENDS = {
    "en": ["today", "again", "as ever", "😀", "ｆｏｒ ｓｕｒｅ"],
    "zh": ["今天", "又一次", "😀", "，真的", "！"],
}


def opinions(
    count: int, seed: int = 1, languages: Sequence[str] = ("en", "zh")
) -> list[dict[str, str]]:
    """Rows with the labels positive and negative, no two of the same text."""
    draw = random.Random(seed)
    rows: dict[str, dict[str, str]] = {}
    while len(rows) < count:
        language = languages[len(rows) % len(languages)]
        label = draw.choice(list(_SAYS))
        parts = [draw.choice(part[language]) for part in (_SUBJECTS, _SAYS[label], _ENDS)]
        text = f"{(' ' if language == 'en' else '').join(parts)} {len(rows)}"
        rows[text] = {"text": text, "label": label}
    return list(rows.values())
