"""A time means the same however it is written; what is no moment is refused and not quoted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_tasks.errors import InvalidInput
from lepton_tasks.times import parse_time, show_time

offsets = st.integers(-1_439, 1_439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(
    min_value=datetime(1970, 1, 2),
    max_value=datetime(9998, 1, 1),
    timezones=offsets,
)


@settings(max_examples=40)
@given(moments)
def test_a_time_means_the_same_however_it_is_written(moment: datetime) -> None:
    assert parse_time(moment.isoformat(), "run_at") == moment.timestamp()
    in_utc = moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    assert parse_time(in_utc, "run_at") == moment.timestamp()


@given(st.text(max_size=30))
def test_a_text_is_a_time_or_is_refused_and_never_quoted(text: str) -> None:
    try:
        found = parse_time(text, "run_at")
    except InvalidInput as refusal:
        assert (refusal.param, refusal.code) == ("run_at", "invalid_time")
        assert str(refusal).startswith("run_at must be Unix seconds or an ISO 8601 time")
    else:
        assert isinstance(found, float)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "明天",
        "2026-01-01",
        "2026-01-01T08:00:00",
        "2026-02-30T08:00:00Z",
        "2026-01-01T25:00:00Z",
        "1767225600",
        "\ud800",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="with an offset"):
        parse_time(text, "run_at")


@given(st.integers(0, 253_402_300_799), st.sampled_from([0, 0.25, 0.5, 0.75]))
def test_what_is_shown_is_the_second_that_has_begun(second: int, more: float) -> None:
    assert parse_time(show_time(second + more), "at") == second
