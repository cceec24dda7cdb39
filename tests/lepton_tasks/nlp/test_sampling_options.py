"""How to draw: what can be meant is taken, what cannot is refused by the name of its field."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from lepton_tasks.nlp.generating import GenerationSpec
from lepton_tasks.nlp.sampling_options import SamplingOptions


def test_what_is_not_said_is_greedy_and_bounded() -> None:
    assert SamplingOptions().spec() == GenerationSpec()


def test_every_option_reaches_the_engine() -> None:
    options = SamplingOptions(
        max_tokens=7, temperature=0.5, top_p=0.9, top_k=40, seed=3, stop=("。", "\n"), stream=True
    )
    assert options.spec() == GenerationSpec(7, 0.5, 0.9, 40, 3, ("。", "\n"), stream=True)


@pytest.mark.parametrize(
    "options",
    [
        {"top_p": 1e-9, "temperature": 2.0},
        {"temperature": 0.01, "top_k": 1},
        {"temperature": 0.0, "top_p": 0.5, "top_k": 5, "seed": 9},
        {"seed": (1 << 63) - 1, "temperature": 1},
        {"stop": "。"},
        {"stop": ["结束", "END", "🙂", "\n\n"]},
        {"max_tokens": 8192},
    ],
)
def test_whatever_can_be_meant_is_taken(options: dict[str, Any]) -> None:
    assert SamplingOptions.model_validate(options).spec().max_new_tokens > 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", -1),
        ("max_tokens", 8193),
        ("max_tokens", "many"),
        ("max_tokens", None),
        ("max_tokens", 1.5),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", 1e-9),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("top_p", 0.0),
        ("top_p", -0.5),
        ("top_p", 1.01),
        ("top_p", math.nan),
        ("top_k", -1),
        ("top_k", 100_001),
        ("seed", -1),
        ("seed", 1 << 63),
        ("stop", ""),
        ("stop", [""]),
        ("stop", ["。"] * 5),
        ("stop", ["x" * 65]),
        ("stop", ["a\0"]),
        ("stop", ["\ud800"]),
        ("stop", 5),
        ("stream", "perhaps"),
        ("beams", 2),
    ],
)
@pytest.mark.parametrize("beside", [{}, {"seed": 1, "temperature": 1.0, "top_p": 0.9, "top_k": 3}])
def test_what_cannot_be_meant_is_refused_by_name(
    field: str, value: object, beside: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError) as caught:
        SamplingOptions.model_validate({**beside, field: value})
    (error,) = caught.value.errors()
    assert error["loc"][0] == field


def test_a_drawn_text_gets_a_seed_of_its_own() -> None:
    drawn = SamplingOptions(temperature=1.0)
    seeds = {drawn.spec().seed for _ in range(20)}
    assert len(seeds) == 20
    assert all(0 <= seed < 1 << 53 for seed in seeds)
    assert SamplingOptions(temperature=1.0, seed=4).spec().seed == 4
    assert SamplingOptions().spec() == SamplingOptions().spec()


def test_the_schema_says_what_is_allowed() -> None:
    schema = SamplingOptions.model_json_schema()["properties"]
    assert schema["top_p"]["exclusiveMinimum"] == 0.0
    assert schema["stop"]["maxItems"] == 4
