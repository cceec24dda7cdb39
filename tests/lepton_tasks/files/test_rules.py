"""What may be said of a file, and what is answered to the rest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_tasks.errors import InvalidInput
from lepton_tasks.files.rules import (
    LEAST_SECONDS,
    MOST_SECONDS,
    PURPOSES,
    check_expiry,
    check_purpose,
    clean_filename,
    read_expiry,
)


@pytest.mark.parametrize("value", [None, "batch_output", "", "批量", 5, ["batch"]])
def test_a_purpose_is_one_of_those_that_are_named(value: object) -> None:
    with pytest.raises(InvalidInput, match=", ".join(PURPOSES)) as refused:
        check_purpose(value)
    assert refused.value.param == "purpose"


@settings(max_examples=40)
@given(st.text(max_size=30))
def test_a_name_is_one_line_and_no_path(value: str) -> None:
    name = clean_filename(value)
    assert 1 <= len(name) <= 255
    assert not set(name) & set("/\\\r\n\0")
    assert name not in (".", "..")
    name.encode()


def test_a_long_name_keeps_what_tells_its_kind() -> None:
    assert clean_filename("评" * 300 + ".jsonl").endswith("评.jsonl")


@pytest.mark.parametrize("seconds", [LEAST_SECONDS, str(MOST_SECONDS)])
def test_a_time_to_keep(seconds: object) -> None:
    assert check_expiry("created_at", seconds) == float(str(seconds))


@pytest.mark.parametrize(
    ("anchor", "seconds", "part"),
    [
        (None, 3600, "anchor"),
        ("completed_at", 3600, "anchor"),
        ("created_at", None, "seconds"),
        ("created_at", 3599, "seconds"),
        ("created_at", "2592001", "seconds"),
        ("created_at", "9" * 5000, "seconds"),
        ("created_at", "３６００", "seconds"),
        ("created_at", 3600.5, "seconds"),
        ("created_at", True, "seconds"),
    ],
)
def test_a_time_that_is_not_one_is_named(anchor: object, seconds: object, part: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_expiry(anchor, seconds)
    assert refused.value.param == f"expires_after[{part}]"


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ([], "output_expires_after"),
        ({"anchor": "created_at"}, "output_expires_after"),
        ({"anchor": "created_at", "seconds": 3600, "days": 1}, "output_expires_after"),
        ({"anchor": "now", "seconds": 3600}, "output_expires_after.anchor"),
        ({"anchor": "created_at", "seconds": 1}, "output_expires_after.seconds"),
    ],
)
def test_a_field_of_a_body_is_named_as_it_is_written(value: object, param: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_expiry(value, "output_expires_after")
    assert refused.value.param == param
