"""The two output files: one writer, cut back to what is known, nothing half-written unnoticed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.bulk.errors import RunStopped
from lepton_tasks.bulk.lines import Problem
from lepton_tasks.bulk.outputs import Outputs, problem_line, result_line
from lepton_tasks.bulk.shards import Slot
from lepton_tasks.errors import InvalidInput

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
slots = st.builds(
    Slot,
    st.integers(1, 2**53),
    st.none() | texts | st.integers(-(2**53), 2**53),
    st.none(),
    reply=st.none(),
)


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "结果.jsonl", tmp_path / "结果.errors.jsonl"


@pytest.fixture
def full() -> Iterator[Path]:
    """A file that takes not one byte more."""
    descriptor = os.memfd_create("full", os.MFD_ALLOW_SEALING)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
    yield Path(f"/proc/self/fd/{descriptor}")
    os.close(descriptor)


def test_what_is_synced_is_on_disk_and_counted_in_bytes(paths: tuple[Path, Path]) -> None:
    with Outputs(*paths) as outputs:
        assert outputs.sync() == (0, 0)
        outputs.write("好\n".encode(), b"")
        outputs.write(b"", b"bad\n")
        assert outputs.sync() == (4, 4)
        assert [path.read_bytes() for path in paths] == ["好\n".encode(), b"bad\n"]


def test_reopened_files_are_added_to(paths: tuple[Path, Path]) -> None:
    for line in (b"one\n", b"two\n"):
        with Outputs(*paths) as outputs:
            outputs.write(line, b"")
            written = outputs.sync()
    assert written == (8, 0)
    assert paths[0].read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("kept", [0, 4])
def test_rewinding_cuts_off_and_goes_on_from_there(paths: tuple[Path, Path], kept: int) -> None:
    paths[0].write_bytes(b"one\ntwo\nthr")
    paths[1].write_bytes(b"bad\n")
    with Outputs(*paths) as outputs:
        outputs.rewind(4, kept)
        outputs.write(b"2\n", b"worse\n")
        assert outputs.sync() == (6, kept + 6)
    assert paths[0].read_bytes() == b"one\n2\n"
    assert paths[1].read_bytes() == b"bad\n"[:kept] + b"worse\n"


@pytest.mark.parametrize("lengths", [(9, 4), (4, 5), (9, 5)])
def test_a_file_that_lost_lines_is_refused_and_nothing_is_cut_off(
    paths: tuple[Path, Path], lengths: tuple[int, int]
) -> None:
    for path, content in zip(paths, (b"one\ntwo\n", b"bad\n"), strict=True):
        path.write_bytes(content)
    with Outputs(*paths) as outputs, pytest.raises(InvalidInput, match="has lost lines"):
        outputs.rewind(*lengths)
    assert [path.read_bytes() for path in paths] == [b"one\ntwo\n", b"bad\n"]


def test_a_file_has_one_writer(paths: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    refusals = []
    with Outputs(*paths):
        for pair in (paths, (paths[0], other), (other, paths[1])):
            with pytest.raises(InvalidInput, match="another run is writing") as refusal:
                Outputs(*pair)
            refusals.append(refusal)
        # The last pair failed at its second file, and does not keep its first one.
        with Outputs(other, tmp_path / "other.errors.jsonl"):
            pass
    with Outputs(*paths):
        pass


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "gone" / "out.jsonl"
    with pytest.raises(InvalidInput, match=r"cannot write .*gone/out\.jsonl: No such file"):
        Outputs(missing, tmp_path / "errors.jsonl")
    with pytest.raises(InvalidInput, match="Is a directory") as refusal:
        Outputs(tmp_path / "out.jsonl", tmp_path)
    assert refusal.value.param == "--output"


def test_a_full_disk_stops_the_run_and_keeps_the_other_file(full: Path, tmp_path: Path) -> None:
    errors = tmp_path / "errors.jsonl"
    with Outputs(full, errors) as outputs:
        outputs.write(b"", b"bad\n")
        outputs.write(b"one\n", b"")
        with pytest.raises(RunStopped, match=r"cannot write .* and .*errors\.jsonl: Operation"):
            outputs.sync()
    assert errors.read_bytes() == b"bad\n"
    assert full.stat().st_size == 0


def test_a_full_disk_is_noticed_at_the_latest_when_a_buffer_is_full(
    full: Path, tmp_path: Path
) -> None:
    with Outputs(full, tmp_path / "errors.jsonl") as outputs, pytest.raises(RunStopped):
        for _ in range(40):
            outputs.write(b"x" * 16_384, b"")


@given(slots, texts)
def test_a_result_is_one_line_whatever_it_holds(slot: Slot, text: str) -> None:
    line = result_line(slot, {"text": text})
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert orjson.loads(line) == {"id": slot.id, "line": slot.number, "output": {"text": text}}


@given(slots, texts, texts)
def test_a_problem_is_one_line_whatever_it_says(slot: Slot, code: str, message: str) -> None:
    line = problem_line(slot, Problem(code, message))
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert orjson.loads(line) == {
        "line": slot.number,
        "id": slot.id,
        "error": {"code": code, "message": message},
    }
