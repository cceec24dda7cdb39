"""How an answer is shown: as a job's result, or in lines for people."""

from __future__ import annotations

from typing import Any

import orjson

from workers.oneshot import render

MODEL: dict[str, Any] = {"name": "noop", "revision": "0"}


def test_json_is_that_of_a_job() -> None:
    answer = {"model": MODEL, "outputs": [{"label": "好"}, {"label": "b"}]}
    assert orjson.loads(render(answer, single=False, as_json=True)) == answer
    one = orjson.loads(render({**answer, "outputs": [{"label": "好"}]}, single=True, as_json=True))
    assert one == {"model": MODEL, "output": {"label": "好"}}


def test_lines_number_several_items_and_name_the_model() -> None:
    demo = {"model": {**MODEL, "demo": True}, "outputs": [{"label": "好"}, {"label": "b"}]}
    assert render(demo, single=False, as_json=False).split("\n") == [
        "[1]",
        "label  好",
        "",
        "[2]",
        "label  b",
        "",
        "(noop 0: a demonstration, not a model to rely on)",
    ]
    assert render({"model": MODEL, "outputs": [{"n": 1}]}, single=True, as_json=False) == (
        "n  1\n\n(noop 0)"
    )
