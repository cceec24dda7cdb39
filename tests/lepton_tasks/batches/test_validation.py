"""A file is read once, to its end: whole, or refused with what is wrong with which line."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from lepton_tasks.batches import validation
from lepton_tasks.batches.validation import Verdict, validate
from lepton_tasks.bulk.physical import MAX_LINE_BYTES, InputFile
from tests.support.uploads import asking, packed, request_line


def judged(tmp_path: Path, content: bytes, **more: Any) -> Verdict:
    path = tmp_path / "file"
    path.write_bytes(content)
    with InputFile(path) as file:
        go_on, most = more.get("go_on", lambda: None), more.get("most", 10_000)
        return validate(file, "/v1/jobs", tmp_path / "ids.db", go_on, most)


def told(verdict: Verdict) -> list[tuple[str, int | None, str | None]]:
    return [(fault.code, fault.line, fault.param) for fault in verdict.faults]


def test_a_whole_file_is_counted(tmp_path: Path) -> None:
    lines = packed(request_line(f"评-{number}", asking("好")) for number in range(1_500))
    assert judged(tmp_path, lines) == Verdict(1_500)
    assert judged(tmp_path, b"\n \n" + lines) == Verdict(1_500)
    assert judged(tmp_path, gzip.compress(lines)) == Verdict(1_500)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_batch_has_so_many_lines_at_most(tmp_path: Path) -> None:
    lines = [request_line(str(number), asking("好")) for number in range(9)]
    assert judged(tmp_path, packed(lines), most=9) == Verdict(9)
    verdict = judged(tmp_path, b"\n" + packed(lines), most=5)
    assert told(verdict) == [("too_many_lines", 7, None)]


@pytest.mark.parametrize(
    ("models", "known"),
    [
        (["tiny", "tiny", "tiny"], "tiny"),
        (["tiny", "other", "tiny"], None),
        (["tiny", None], None),
        ([None, None], None),
    ],
)
def test_the_model_of_all_lines_is_known(
    tmp_path: Path, models: list[str | None], known: str | None
) -> None:
    lines = [request_line(str(number), {"model": name}) for number, name in enumerate(models)]
    assert judged(tmp_path, packed(lines)) == Verdict(len(models), model=known)


def test_what_is_wrong_is_told_by_line(tmp_path: Path) -> None:
    good = request_line("a", {})
    lines = [
        packed([good]),
        b"not json\n",
        packed([request_line("b", {}, url="/v1/moderations")]),
        packed([{**good, "custom_id": 7}]),
        packed([request_line("c", {}), good]),
        b"\n",
        packed([request_line("d", "text"), {**request_line("e", {}), "method": "GET"}]),
        b'"' + b"x" * MAX_LINE_BYTES + b'"\n',
        packed([request_line("c", {})]),
    ]
    verdict = judged(tmp_path, b"".join(lines))
    assert told(verdict) == [
        ("invalid_json_line", 2, None),
        ("invalid_url", 3, "url"),
        ("invalid_custom_id", 4, "custom_id"),
        ("duplicate_custom_id", 6, "custom_id"),
        ("invalid_type", 8, "body"),
        ("invalid_method", 9, "method"),
        ("line_too_long", 10, None),
        ("duplicate_custom_id", 11, "custom_id"),
    ]
    assert "line 5 has the same custom_id" in verdict.faults[-1].message


def test_a_body_that_its_endpoint_does_not_take_is_no_fault_of_the_file(tmp_path: Path) -> None:
    assert judged(tmp_path, packed([request_line("a", {"no": "task"})])) == Verdict(1)


def test_a_file_without_lines_is_refused(tmp_path: Path) -> None:
    assert told(judged(tmp_path, b"\n  \n")) == [("empty_file", None, None)]


def test_a_file_that_breaks_off_is_refused(tmp_path: Path) -> None:
    lines = packed(request_line(f"a-{number}", asking("好")) for number in range(9))
    [(code, line, _)] = told(judged(tmp_path, gzip.compress(lines)[:-4]))
    assert code == "broken_gzip"
    assert line is not None


def test_a_hundred_faults_are_enough(tmp_path: Path) -> None:
    read: list[int] = []
    content = b"{}\n" * 200_000
    verdict = judged(tmp_path, content, go_on=lambda: read.append(1))
    assert len(verdict.faults) == validation.MOST_FAULTS
    assert read == []


def test_it_can_be_ended_half_way(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def stop() -> None:
        raise Enough

    lines = packed(request_line(f"a-{number}", {}) for number in range(2_000))
    with pytest.raises(Enough):
        judged(tmp_path, lines, go_on=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
