"""Limits of a generator: what a catalogue says, within bounds, each mistake named."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from workers.catalogue.entries import CatalogueEntry
from workers.errors import CatalogueError
from workers.generation.limits import GenerationLimits, read_limits


def entry(**options: Any) -> CatalogueEntry:
    return CatalogueEntry(name="模型", task="generation", engine="decoder", options=options)


def test_an_entry_without_options_takes_the_defaults() -> None:
    assert read_limits(entry()) == GenerationLimits()


def test_what_is_given_is_taken_and_the_rest_stays() -> None:
    limits = read_limits(entry(most_running=3, cache_tokens=640))
    assert limits == GenerationLimits().model_copy(update={"most_running": 3, "cache_tokens": 640})


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("most_running", 1, 1024),
        ("most_waiting", 0, 65_536),
        ("cache_tokens", 64, None),
        ("read_tokens", 16, None),
        ("context", 0, None),
    ],
)
def test_bounds_are_inclusive_and_their_field_is_named(
    field: str, least: int, most: int | None
) -> None:
    inside = [least] if most is None else [least, most]
    outside = [least - 1] if most is None else [least - 1, most + 1]
    for value in inside:
        assert getattr(read_limits(entry(**{field: value})), field) == value
    for value in outside:
        with pytest.raises(CatalogueError, match=rf"^\[模型\] options\.{field}: Input should be"):
            read_limits(entry(**{field: value}))


@pytest.mark.parametrize("value", ["many", None, 1.5, [1], {}])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(CatalogueError, match=r"options\.most_running"):
        read_limits(entry(most_running=value))


def test_an_option_that_there_is_not_is_named() -> None:
    with pytest.raises(CatalogueError, match=r"options\.cache_token: Extra inputs"):
        read_limits(entry(cache_token=640))


def test_limits_do_not_change() -> None:
    limits = GenerationLimits()
    with pytest.raises(ValidationError):
        limits.most_running = 2  # type: ignore[misc]
