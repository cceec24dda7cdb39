"""A misspelt field is named, with those that there are."""

from __future__ import annotations

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.fields import refuse_unknown


def test_known_fields_pass_in_any_order() -> None:
    refuse_unknown([], ["task"])
    refuse_unknown(["input", "task"], iter(["task", "input"]))


def test_the_first_unknown_one_is_named() -> None:
    with pytest.raises(
        InvalidInput, match="there is no field 选项; the fields are: task, input"
    ) as it:
        refuse_unknown(["task", "选项", "ttl"], ["task", "input"])
    assert (it.value.param, it.value.code) == ("选项", "unknown_field")
