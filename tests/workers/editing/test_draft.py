"""Changes in passes: what is told of the given text makes the edited one, whatever came when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.editing.draft import Change, Draft, apply, disjoint

CHANGES = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 3), st.text("xyz", max_size=2)), max_size=4
)


@given(st.text("ab ", max_size=9), st.lists(CHANGES, max_size=4))
def test_changes_of_the_given_text_make_the_edited_one(
    text: str, passes: list[list[tuple[int, int, str]]]
) -> None:
    draft = Draft.of(text)
    for one in passes:
        size = len(draft.text)
        changes = [
            Change(min(start, size), min(start + length, size), after, "kind")
            for start, length, after in one
        ]
        wanted = apply(draft.text, disjoint(changes))
        draft = draft.changed(changes)
        assert draft.text == wanted
        assert apply(text, draft.changes) == draft.text
        assert list(draft.changes) == disjoint(draft.changes)
        assert all(text[change.start : change.end] != change.after for change in draft.changes)


def test_a_change_taken_back_is_none() -> None:
    draft = Draft.of("ab").changed([Change(0, 1, "x", "first", 0.5)])
    assert draft.changes == (Change(0, 1, "x", "first", 0.5),)
    assert draft.changed([Change(0, 1, "a", "second")]).changes == ()


def test_nothing_new_is_the_same_draft() -> None:
    draft = Draft.of("ab")
    assert draft.changed([]) is draft
