"""Answers as lines: nothing is lost but what the lines say is in the JSON."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.readable import readable


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        ({"flagged": True, "note": None}, ["flagged  yes", "note     –"]),
        ({"文本": "好", "n": 3}, ["文本  好", "n     3"]),
        ({"spans": []}, ["spans  –"]),
        ({"spans": {}}, ["spans  –"]),
        ({"text": "one\ntwo"}, ["text", "  one", "  two"]),
        (
            {"spans": [{"start": 0, "type": "电话"}, {"start": 9, "type": "PERSON"}]},
            ["spans", "  - start 0  type 电话", "  - start 9  type PERSON"],
        ),
        ({"rows": [[1, 2], [3]]}, ["rows", "  - 1, 2", "  - 3"]),
        (
            {"ranked": [{"item": "甲", "scores": {"a": 0.25, "b": 0.5}}]},
            ["ranked", "  - item    甲", "    scores", "      b  0.500", "      a  0.250"],
        ),
        ("bare", ["bare"]),
        ([1.5, 2.5], ["1.500, 2.500"]),
    ],
)
def test_shapes_of_answers(answer: Any, lines: list[str]) -> None:
    assert readable(answer).split("\n") == lines


def test_long_ones_say_how_much_is_left_out() -> None:
    assert readable({"vector": [0.0] * 384}).endswith("… and 376 more")
    many = readable({"scores": {f"c{n:02}": n / 100 for n in range(20)}})
    assert many.split("\n")[1:3] == ["  c19  0.190", "  c18  0.180"]
    assert many.endswith("… and 12 more with --json")
    zeros = readable({"scores": {"a": 0.0, **{f"c{n}": 0.0 for n in range(9)}, "b": 0.5}})
    assert zeros.split("\n")[1:] == ["  b  0.500", "  … and 10 more with --json"]
    spans = readable({"spans": [{"start": n} for n in range(20)]})
    assert spans.endswith("… and 4 more with --json")
    present = readable({"categories": {f"c{n}": n == 3 for n in range(20)}})
    assert present == "categories  c3"
