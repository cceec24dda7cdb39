"""Counts add up, and come back from the journal as they went in."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.bulk.tally import Tally

labels = st.sampled_from(["toxicity", "辱骂", "hate/threatening", ""])
outputs = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "flagged": st.booleans() | st.sampled_from([None, 1, "yes"]),
            "language": labels | st.none(),
            "categories": st.dictionaries(labels, st.booleans()) | st.none() | st.just(["hate"]),
        },
    ),
    st.sampled_from([None, "text", 7, ["flagged"]]),
)
lines = st.lists(outputs | labels.map(lambda code: ("error", code)), max_size=30)


def tally_of(lines: list[Any]) -> Tally:
    tally = Tally()
    for line in lines:
        if isinstance(line, tuple):
            tally.add_error(line[1])
        else:
            tally.add_output(line)
    return tally


@given(lines)
def test_every_line_is_counted_once(lines: list[Any]) -> None:
    tally = tally_of(lines)
    assert tally.lines == len(lines)
    assert tally.errors == tally.error_codes.total()
    assert 0 <= tally.flagged <= tally.judged <= tally.ok
    assert tally.languages.total() <= tally.ok
    assert max(tally.categories.values(), default=0) <= tally.ok


@given(lines)
def test_a_dump_is_json_and_comes_back(lines: list[Any]) -> None:
    tally = tally_of(lines)
    dumped = orjson.loads(orjson.dumps(tally.dump()))
    again = Tally.load(dumped)
    assert again == tally
    assert again.dump() == dumped
    # The counters still count: a resumed run adds to them.
    again.add_error("new")
    again.add_output({"language": "new"})
    assert (again.error_codes["new"], again.languages["new"]) == (1, 1)


@given(lines, lines)
def test_a_resumed_run_counts_as_one_that_was_not_interrupted(
    first: list[Any], second: list[Any]
) -> None:
    resumed = Tally.load(tally_of(first).dump())
    for line in second:
        if isinstance(line, tuple):
            resumed.add_error(line[1])
        else:
            resumed.add_output(line)
    assert resumed == tally_of(first + second)


def test_a_dump_tells_the_most_frequent_first() -> None:
    dumped = tally_of([("error", code) for code in "abbbcc"]).dump()
    assert list(dumped["error_codes"].items()) == [("b", 3), ("c", 2), ("a", 1)]


@pytest.mark.parametrize("flagged", [None, 0, 1, "true", [True]])
def test_only_a_true_or_false_is_a_judgement(flagged: object) -> None:
    tally = tally_of([{"flagged": flagged, "language": 7, "categories": ["hate"]}])
    assert (tally.ok, tally.judged, tally.flagged_share) == (1, 0, None)
    assert not tally.languages and not tally.categories


def test_a_share_is_of_what_was_judged() -> None:
    tally = tally_of([{"flagged": True}, {"flagged": False}, {"flagged": False}, {}, "text"])
    assert tally.flagged_share == pytest.approx(1 / 3)


def test_a_category_counts_where_it_is_present() -> None:
    tally = tally_of(
        [{"categories": {"hate": True, "辱骂": False}}, {"categories": {"hate": True}}]
    )
    assert tally.categories == {"hate": 2}
    assert "辱骂" not in tally.categories
