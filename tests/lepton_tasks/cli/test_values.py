"""``name=value`` becomes the JSON that a schema asks for."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel

from lepton_tasks.cli.values import read_json, read_values
from lepton_tasks.errors import InvalidInput


class Part(BaseModel):
    size: int = 0


class Options(BaseModel):
    text: str = ""
    maybe: str | None = None
    count: int = 0
    share: float = 0.0
    on: bool = False
    kind: Literal["a", "1"] = "a"
    texts: list[str] = []
    numbers: tuple[int, ...] | None = None
    either: str | list[str] = ""
    shares: dict[str, float] = {}
    part: Part = Part()


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["text=5"], {"text": "5"}),
        (["text=a=b"], {"text": "a=b"}),
        (['text="好"', 'maybe="5"'], {"text": '"好"', "maybe": '"5"'}),
        (["text="], {"text": ""}),
        (["text=true"], {"text": "true"}),
        (["maybe=zh"], {"maybe": "zh"}),
        (["maybe=null"], {"maybe": None}),
        (["count=5", "share=1", "on=true"], {"count": 5, "share": 1, "on": True}),
        (["count=five"], {"count": "five"}),
        (["kind=1"], {"kind": "1"}),
        (["texts=体育"], {"texts": ["体育"]}),
        (["texts=1", "texts=二"], {"texts": ["1", "二"]}),
        (['texts=["体育", "财经"]'], {"texts": ["体育", "财经"]}),
        (["numbers=1", "numbers=2"], {"numbers": [1, 2]}),
        (["either=好"], {"either": "好"}),
        (["either=一", "either=二"], {"either": ["一", "二"]}),
        (['either=["一"]'], {"either": ["一"]}),
        (['shares={"spam": 0.5}'], {"shares": {"spam": 0.5}}),
        (['part={"size": 3}'], {"part": {"size": 3}}),
        (["nobody=[1]"], {"nobody": [1]}),
        (["nobody=text"], {"nobody": "text"}),
    ],
)
def test_the_schema_decides(given: list[str], read: dict[str, Any]) -> None:
    assert read_values(given, "--option", Options.model_json_schema()) == read


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["text"], "--option takes name=value, not 'text'"),
        (["=x"], "--option takes name=value"),
        (["count=1", "count=2"], "--option count is given 2 times; it takes one value"),
    ],
)
def test_what_is_no_value_is_named(given: list[str], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read_values(given, "--option", Options.model_json_schema())


def test_broken_json_is_named() -> None:
    assert read_json('{"a": "好"}', "--input") == {"a": "好"}
    with pytest.raises(InvalidInput, match="--input is not valid JSON"):
        read_json("{", "--input")
