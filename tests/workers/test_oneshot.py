"""How an answer is shown: as a job's result, or in lines for people."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from lepton_tasks.errors import InvalidInput
from workers import oneshot
from workers.errors import CatalogueError, ModelRefused
from workers.oneshot import main, render

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


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (CatalogueError("no model 'x'; the catalogue has: y"), 2, "error: no model 'x'"),
        (InvalidInput("wrong", "input"), 2, "error: wrong"),
        (ModelRefused("no safetensors"), 1, "error: no safetensors"),
        (ValueError("标签不对"), 1, "error: no answer: ValueError: 标签不对"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_the_kind_of_an_error_decides(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    says: str,
) -> None:
    def failing(*arguments: object, stream: bool) -> Callable[..., None]:
        raise error

    request = {"task": "moderation", "inputs": ["好"], "single": True, "options": {}}
    request |= {"json": False, "stream": False}
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(orjson.dumps(request))))
    monkeypatch.setattr(oneshot, "answer_request", failing)
    assert main() == code
    assert capsys.readouterr().err.startswith(says)
