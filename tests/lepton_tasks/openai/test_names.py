"""Our names of what is wrong become those of the request, in the message too."""

from __future__ import annotations

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.openai.names import renamed

NAMES = {"inputs[0]": "prompt", "inputs": "prompts", "options.stop": "stop"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("inputs[0].text", "prompt.text"),
        ("inputs[1]", "prompts[1]"),
        ("options.stop", "stop"),
        ("options.stopping", "options.stopping"),
        ("task", "task"),
    ],
)
def test_the_longest_part_that_has_a_name_is_said_by_it(ours: str, theirs: str) -> None:
    said = renamed(InvalidInput(f"{ours} is wrong", ours, "wrong"), NAMES)
    assert (str(said), said.param, said.code) == (f"{theirs} is wrong", theirs, "wrong")


def test_an_error_of_no_field_stays_as_it_is() -> None:
    error = InvalidInput("no")
    assert renamed(error, NAMES) is error
