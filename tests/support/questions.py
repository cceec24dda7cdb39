"""A few questions with their contexts, as the data sets have them."""

from __future__ import annotations

from workers.training.datasets import Row


def row(question: str, context: str, answer: str) -> Row:
    start = context.index(answer)
    return {
        "question": question,
        "context": context,
        "answers": [{"text": answer, "start": start}],
    }


ROWS: dict[str, list[Row]] = {
    "en": [
        row(
            f"Who built the {thing}?",
            f"The weather was {sky} all week. The {thing} was built by {name}. It is quite old.",
            name,
        )
        for thing, sky, name in [
            ("bridge", "mild", "Ann"),
            ("harbour", "cold", "Bob"),
            ("tower", "wet", "Carla"),
            ("library", "dry", "David"),
        ]
    ],
    "zh": [
        row(f"{thing}是谁建的？", f"今天{sky}。{thing}由{name}建成。已经很旧。", name)
        for thing, sky, name in [
            ("大桥", "下雨", "李明"),
            ("高塔", "刮风", "王芳"),
            ("书店", "下雪", "张伟"),
            ("车站", "很热", "刘洋"),
        ]
    ],
}
