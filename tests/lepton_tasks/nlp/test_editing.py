"""The editing task: options that are refused, edits that make the text, the diff for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.editing import Editing, EditingInput, EditingOptions, EditingOutput
from lepton_tasks.requests import Admission, JobRequest

TASK = Editing()


def decoded(text: str, edits: list[dict[str, object]], **options: object) -> EditingOutput:
    chosen = EditingOptions.model_validate(options)
    return TASK.decode({"edits": edits}, TASK.encode(text, chosen), chosen)


def edit(start: int, end: int, after: str, score: float = 1.0) -> dict[str, object]:
    return {"start": start, "end": end, "after": after, "kind": "typo", "score": score}


@given(
    st.text("ab 一", max_size=12),
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 3), st.text("xy", max_size=2)), max_size=4
    ),
)
def test_the_edits_make_the_text_out_of_the_given_one(
    text: str, steps: list[tuple[int, int, str]]
) -> None:
    edits, at = [], 0
    for gap, length, after in steps:
        start = min(at + gap, len(text))
        at = min(start + length, len(text))
        edits.append(edit(start, at, after))
        at += 1
    edits = [one for one in edits if int(str(one["start"])) <= len(text)]
    output = decoded(text, edits)
    made, shift = text, 0
    for one in output.edits:
        assert text[one.start : one.end] == one.before
        made = made[: one.start + shift] + one.after + made[one.end + shift :]
        shift += len(one.after) - len(one.before)
    assert output.text == made
    assert output.changed == bool(output.edits)


def test_a_diff_for_people_and_edits_that_are_not_sure_enough() -> None:
    edits = [edit(0, 3, "the"), edit(3, 4, ""), edit(8, 8, "!", 0.5)]
    output = decoded("teh  cat", edits)
    assert (output.text, output.diff) == ("the cat!", "[-teh-]{+the+}[- -] cat{+!+}")
    sure = decoded("teh  cat", edits, min_score=0.6)
    assert (sure.text, len(sure.edits)) == ("the cat", 2)
    assert decoded("好", []).changed is False


@pytest.mark.parametrize(
    ("options", "place", "says"),
    [
        ({"instruction": "translate"}, "options.instruction", "fix, shorten, formal, polite"),
        ({"instruction": 7}, "options.instruction", "fix, shorten, formal, polite"),
        ({"protect": ["x"] * 101}, "options.protect", "at most 100"),
        ({"protect": [""]}, "options.protect", "term 0 must have 1 to 100"),
        ({"min_score": 2}, "options.min_score", "less than or equal to 1"),
        ({"language": "fr"}, "options.language", "'en' or 'zh'"),
    ],
)
def test_options_are_refused_and_named(options: dict[str, object], place: str, says: str) -> None:
    admission = Admission({"editing": TASK}, 10)
    with pytest.raises(InvalidInput, match=says) as refused:
        admission.admit("t", JobRequest("editing", input="hello", options=options))
    assert refused.value.param == place


def test_the_text_stays_as_it_was_sent() -> None:
    text = "  ｔｅｈ\u200b  cat 👍"
    made = TASK.encode(text, EditingOptions(protect=("cat",), language="zh"))
    assert made == EditingInput(text, "zh", "fix", ("cat",), "zh")
    assert hash(made) == hash(TASK.encode(text, EditingOptions(protect=("cat",), language="zh")))
    assert TASK.encode("你好", EditingOptions()).only is None
