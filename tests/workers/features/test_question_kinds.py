"""What questions ask for, in both languages."""

from __future__ import annotations

import pytest

from workers.features.question_kinds import question_kind


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who built the bridge?", "who"),
        ("In what year did it open?", "when"),
        ("How many people live there?", "count"),
        ("Where is the river?", "where"),
        ("Why did they leave?", "why"),
        ("How did they cross?", "how"),
        ("What type of stone is it?", "which"),
        ("What did Ann say?", "other"),
        ("桥是谁建的？", "who"),
        ("图书馆什么时候开放？", "when"),
        ("那里有多少居民？", "count"),
        ("小城位于哪里？", "where"),
        ("他们为什么离开？", "why"),
        ("他们如何过河？", "how"),
        ("他属于哪个学派？", "which"),
        ("他说了什么？", "other"),
    ],
)
def test_kinds_of_questions(question: str, kind: str) -> None:
    assert question_kind(question, "\u4e00" <= question[-2] <= "\u9fff") == kind
