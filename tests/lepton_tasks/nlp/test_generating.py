"""How to generate is part of what is asked: only what is the same in all of it is the same."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.generating import GenerationInput, GenerationSpec

OTHERS: dict[str, Any] = {
    "max_new_tokens": 7,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "seed": 1,
    "stop": ("。",),
    "beams": 4,
    "stream": True,
}
"""For each field a value that is not its default."""

specs = st.fixed_dictionaries(
    {name: st.sampled_from([getattr(GenerationSpec(), name), OTHERS[name]]) for name in OTHERS}
)
inputs = st.builds(
    lambda text, language, spec: GenerationInput(text, language, GenerationSpec(**spec)),
    st.sampled_from(["你好", "hello"]),
    st.sampled_from(["zh", "en"]),
    specs,
)


@given(inputs, inputs)
def test_inputs_are_one_where_all_is_the_same(one: GenerationInput, other: GenerationInput) -> None:
    same = dataclasses.asdict(one) == dataclasses.asdict(other)
    assert (one == other) is same
    assert len({one, other}) == (1 if same else 2)  # what a worker tells repetitions by


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(GenerationSpec)])
def test_no_field_of_the_spec_is_passed_over(name: str) -> None:
    given = GenerationInput("你好", "zh", GenerationSpec(**{name: OTHERS[name]}))
    assert given != GenerationInput("你好", "zh")
    assert given == dataclasses.replace(given)


def test_a_text_to_classify_is_not_one_to_go_on_from() -> None:
    assert GenerationInput("你好", "zh") != ModelInput("你好", "zh")


def test_what_is_not_said_is_greedy_and_bounded() -> None:
    spec = GenerationInput("你好", "zh").spec
    assert (spec.temperature, spec.beams, spec.stop, spec.stream) == (0.0, 1, (), False)
    assert spec.max_new_tokens > 0


def test_nobody_changes_what_was_asked() -> None:
    given = GenerationInput("你好", "zh")
    for target, name in ((given, "text"), (given.spec, "seed")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(target, name, 1)
