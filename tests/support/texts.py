"""Short documents, Chinese or English, that a small language model can learn."""

from __future__ import annotations

_PARTS = {
    "en": (
        ("Today", "On Monday", "Last night", "This morning"),
        ("it rained", "it snowed", "the wind was strong", "the sun shone"),
        ("and we stayed at home.", "and my friend baked bread.", "so nobody went out."),
    ),
    "zh": (
        ("今天", "星期一", "昨天晚上", "今天早上"),
        ("下雨了", "下雪了", "风很大", "太阳很好"),
        ("，我们留在家里。", "，朋友烤了面包。", "，没有人出门。"),
    ),
}


def days(count: int, language: str) -> list[str]:
    """So many documents, no two the same."""
    days, skies, ends = _PARTS[language]
    space = " " if language == "en" else ""
    return [
        space.join(
            (days[number % 4], skies[number // 4 % 4], ends[number // 16 % 3] + f" {number}")
        )
        for number in range(count)
    ]
