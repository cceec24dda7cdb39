"""The columns that make an item: one of text, or those called as the item's fields."""

from __future__ import annotations

import pytest

from lepton_tasks.bulk.columns import find_columns
from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.registry import get_task
from tests.support.pairs import Pairs

ASKS = get_task("question-answering")


def test_fields_are_taken_from_the_columns_of_their_names() -> None:
    columns = find_columns(["nr", "context", "question"], ASKS, None, "nr")
    assert columns.names == ("question", "context", "nr")
    assert columns.split(["Who?", "It was Ada.", 7]) == (
        {"question": "Who?", "context": "It was Ada."},
        7,
    )
    assert columns.split(["Who?", None, 7]) == ({"question": "Who?"}, 7)


def test_a_field_that_may_be_absent_needs_no_column() -> None:
    assert find_columns(["question", "answer"], ASKS, None, None).names == ("question",)


def test_an_item_that_is_made_of_a_text_takes_a_text_column() -> None:
    columns = find_columns(["says"], get_task("chat"), "says", None)
    assert columns.split(["你好"]) == ({"messages": [{"role": "user", "content": "你好"}]}, None)


@pytest.mark.parametrize(
    ("header", "column", "option", "said"),
    [
        (["context"], None, "FILE", "fields question, context, .*CSV has no column 'question'"),
        (["question", "question"], None, "FILE", "more than one column 'question'"),
        (["text", "question"], "text", "--text-column", "leave --text-column out"),
    ],
)
def test_what_is_wrong_is_named(
    header: list[str], column: str | None, option: str, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        find_columns(header, ASKS, column, None)
    assert caught.value.param == option


def test_a_list_does_not_fit_into_a_cell() -> None:
    header = ["text", "others"]
    with pytest.raises(InvalidInput, match=r"others of pairs is more than one value, .* a TSV"):
        find_columns(header, Pairs(), None, None, "TSV")
    assert find_columns(["text"], Pairs(), None, None).names == ("text",)
    assert find_columns(header, Pairs(), None, None, plain=False).names == ("text", "others")
