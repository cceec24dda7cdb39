"""The end of a run, for programs and for people."""

from __future__ import annotations

import io

import orjson
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from lepton_tasks.bulk.summary import Ending, Summary
from lepton_tasks.bulk.tally import Tally

_outputs = st.one_of(
    st.none(),
    st.text(max_size=5),
    st.fixed_dictionaries(
        {},
        optional={
            "flagged": st.booleans() | st.none(),
            "language": st.sampled_from(["en", "zh"]) | st.integers(),
            "categories": st.dictionaries(st.sampled_from("abc"), st.booleans()) | st.none(),
        },
    ),
)


@given(st.lists(_outputs), st.lists(st.sampled_from(["empty_text", "invalid_json"])))
def test_a_tally_survives_the_journal(outputs: list[object], codes: list[str]) -> None:
    tally = Tally()
    for output in outputs:
        tally.add_output(output)
    for code in codes:
        tally.add_error(code)
    assert Tally.load(orjson.loads(orjson.dumps(tally.dump()))) == tally
    assert tally.lines == len(outputs) + len(codes) == tally.ok + sum(tally.error_codes.values())


def test_both_forms_say_the_same() -> None:
    tally = Tally()
    for flagged in (True, False, False, False):
        tally.add_output({"flagged": flagged, "language": "zh", "categories": {"hate": flagged}})
    tally.add_error("[b]odd")
    summary = Summary("batch_1", Ending.COMPLETED, "out", "err", tally, seconds=2.0)
    assert summary.dump() | {"batch_id": ""} == {
        "batch_id": "",
        "state": "completed",
        "output": "out",
        "errors_file": "err",
        "lines": 5,
        "ok": 4,
        "errors": 1,
        "flagged": 1,
        "flagged_share": 0.25,
        "categories": {"hate": 1},
        "languages": {"zh": 4},
        "error_codes": {"[b]odd": 1},
        "seconds": 2.0,
        "lines_per_second": 2.5,
    }
    screen = io.StringIO()
    Console(file=screen, width=80).print(summary.table())
    table = [" ".join(line.replace("│", " ").split()) for line in screen.getvalue().splitlines()]
    assert {"flagged 1 25.0%", "hate 1 25.0%", "language zh 4 100.0%", "[b]odd 1 20.0%"} <= set(
        table
    )
    assert "2.0 s, 2 lines/s" in table


def test_a_run_without_lines_has_no_share() -> None:
    summary = Summary("batch_1", Ending.COMPLETED, "out", "err", Tally(), seconds=0.0)
    assert (summary.dump()["flagged_share"], summary.dump()["lines_per_second"]) == (None, 0.0)
    assert summary.table().row_count == 3
