"""Ids sort by the time they were made at and never meet."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks import ids
from lepton_tasks.ids import new_id

CROCKFORD = set("0123456789abcdefghjkmnpqrstvwxyz")
nanoseconds = st.integers(0, 2**64 - 1)


def made_at(time_ns: int) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: time_ns))
        return new_id("job")


@given(nanoseconds, nanoseconds)
def test_they_sort_as_the_clock_does(first: int, second: int) -> None:
    one, other = made_at(first), made_at(second)
    if first == second:
        assert one != other
    else:
        assert (one < other) == (first < second)


@given(nanoseconds)
def test_their_form_never_changes(time_ns: int) -> None:
    prefix, _, rest = made_at(time_ns).partition("_")
    assert prefix == "job"
    assert len(rest) == 26
    assert set(rest) <= CROCKFORD


@given(nanoseconds)
def test_the_time_can_be_read_back(time_ns: int) -> None:
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    number = 0
    for digit in made_at(time_ns).partition("_")[2]:
        number = number * 32 + alphabet.index(digit)
    assert number >> 64 == time_ns


def test_threads_never_make_the_same() -> None:
    made: list[str] = []

    def make() -> None:
        made.extend([new_id("evt") for _ in range(2_000)])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == len(made) == 8_000
