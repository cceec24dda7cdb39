"""Rows go into a statement as one parameter and come out as they were, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Text, event, select

from lepton_tasks.store.rowset import bind_rows, rowset
from lepton_tasks.store.store import Store

# No database takes a NUL, and no JSON half a character; admission keeps both out.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
integers = st.integers(-(2**63), 2**63 - 1)
rows = st.lists(st.tuples(st.none() | texts, st.none() | integers), max_size=8)

Rows = Sequence[tuple[str | None, int | None]]


def read_back(store: Store, rows: Rows) -> list[tuple[str | None, int | None]]:
    wanted = rowset("wanted", store.database.dialect, {"name": Text(), "number": BigInteger()})
    with store.database.read() as connection:
        found = connection.execute(select(wanted), {"wanted": bind_rows(rows)}).all()
    return [(row.name, row.number) for row in found]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows)
def test_values_come_out_as_they_went_in(quick_store: Store, rows: Rows) -> None:
    assert sorted(read_back(quick_store, rows), key=repr) == sorted(rows, key=repr)


WORDS = ["", "null", "7", '{"a": 1}', "[1]", "'; DROP TABLE jobs; --", "$[0]", "\\u0041"]


@pytest.mark.parametrize("text", [*WORDS, "好", "🀄", "\u2028"])
def test_a_text_is_never_taken_for_something_else(quick_store: Store, text: str) -> None:
    assert read_back(quick_store, [(text, 0)]) == [(text, 0)]


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_numbers_are_exact(quick_store: Store, number: int) -> None:
    assert read_back(quick_store, [("n", number)]) == [("n", number)]


def test_none_is_null_and_not_a_word(quick_store: Store) -> None:
    assert read_back(quick_store, [(None, None), ("null", 0)]) == [(None, None), ("null", 0)]


def test_no_rows_are_no_rows(quick_store: Store) -> None:
    assert read_back(quick_store, []) == []


def test_rows_keep_their_order(quick_store: Store) -> None:
    many: Rows = [(f"作业 {number}", -number) for number in range(500)]
    assert read_back(quick_store, many) == many


def test_the_statement_does_not_grow_with_the_rows(quick_store: Store) -> None:
    seen: list[str] = []

    def note(*call: Any) -> None:
        seen.append(call[2])

    event.listen(quick_store.database.engine, "before_cursor_execute", note)
    try:
        read_back(quick_store, [("a", 1)])
        read_back(quick_store, [(str(number), number) for number in range(500)])
    finally:
        event.remove(quick_store.database.engine, "before_cursor_execute", note)
    statements = [one for one in seen if "wanted" in one]
    assert len(statements) == 2
    assert len(set(statements)) == 1


def test_many_rows_are_one_parameter_of_text() -> None:
    assert bind_rows([]) == "[]"
    assert bind_rows(iter([("好", None)])) == '[["好",null]]'
