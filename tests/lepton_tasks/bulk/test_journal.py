"""A journal is there whole, the old one or the new one, whatever interrupts the writing."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_tasks.bulk.errors import RunStopped
from lepton_tasks.bulk.journal import Journal
from lepton_tasks.bulk.tally import Tally
from lepton_tasks.errors import InvalidInput

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
counts = st.integers(0, 2**53)
counters = st.dictionaries(names, st.integers(1, 2**53), max_size=4).map(Counter)
tallies = st.builds(
    Tally,
    ok=counts,
    errors=counts,
    judged=counts,
    flagged=counts,
    categories=counters,
    languages=counters,
    error_codes=counters,
)
json_values = st.recursive(
    st.none() | st.booleans() | counts | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
journals = st.builds(
    Journal,
    batch_id=names,
    plan=st.dictionaries(names, json_values, max_size=4),
    next_cut=counts,
    out_bytes=counts,
    errors_bytes=counts,
    seconds=st.floats(0, 1e9),
    tally=tallies,
)


class Killed(BaseException):
    """The process is gone at this point."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "评论.jsonl.progress"


@settings(max_examples=50)
@given(journals)
def test_what_was_saved_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, journal: Journal
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.progress"
    journal.save(path)
    assert Journal.load(path) == journal


def test_no_part_of_a_journal_is_taken_for_one(path: Path) -> None:
    tally = Tally(ok=7, categories=Counter({"辱骂": 2}))
    Journal("batch_1", {"task": "moderation"}, 3, 40, 2, 1.5, tally).save(path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InvalidInput, match="damaged"):
            Journal.load(path)


@pytest.mark.parametrize(("syncs", "survivor"), [(0, "old"), (1, "new")])
def test_a_crash_while_saving_leaves_one_that_is_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch, syncs: int, survivor: str
) -> None:
    """The first sync is that of the draft, the second that of the folder."""
    Journal("old", {}, next_cut=1).save(path)
    left = [None] * syncs

    def fsync(descriptor: int) -> None:
        if not left:
            raise Killed
        left.pop()

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(os, "fsync", fsync)
        Journal("new", {}, next_cut=2).save(path)
    assert Journal.load(path).batch_id == survivor
    Journal("next", {}, next_cut=3).save(path)
    assert Journal.load(path).next_cut == 3
    assert list(path.parent.iterdir()) == [path]


def test_a_draft_that_a_crash_left_does_not_shine_through(path: Path) -> None:
    draft = path.with_name(path.name + ".tmp")
    draft.write_bytes(b"x" * 100_000)
    Journal("batch_1", {}).save(path)
    assert Journal.load(path).batch_id == "batch_1"
    assert not draft.exists()


def test_a_full_disk_stops_the_run_and_keeps_the_old_journal(path: Path) -> None:
    Journal("old", {}).save(path)
    path.with_name(path.name + ".tmp").symlink_to("/dev/full")
    with pytest.raises(RunStopped, match=r"cannot write .*评论.*: No space left on device"):
        Journal("new", {}).save(path)
    assert Journal.load(path).batch_id == "old"


def test_a_folder_that_is_gone_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(RunStopped, match="No such file or directory"):
        Journal("batch_1", {}).save(tmp_path / "gone" / "x.progress")


def test_what_cannot_be_opened_is_told_apart_from_what_is_not_there(path: Path) -> None:
    with pytest.raises(InvalidInput, match="no run into that file is unfinished"):
        Journal.load(path)
    path.mkdir()
    with pytest.raises(InvalidInput, match=r"cannot read .*: Is a directory") as refusal:
        Journal.load(path)
    assert refusal.value.param == "--resume"


@pytest.mark.parametrize(
    "content",
    [
        b"null",
        b"7",
        b'{"format": 1, "batch_id": "b", "plan": {}, "tally": {}}',
        b'{"format": 1, "batch_id": "b", "plan": {}, "tally": null}',
        b'{"format": 1, "batch_id": "b", "plan": {}, "tally": {"ok": 1}}',
        b'{"format": 1, "batch_id": "b"}',
        b'{"batch_id": "b", "plan": {}}',
    ],
)
def test_json_that_is_no_journal_is_damaged(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="damaged; start over with --overwrite"):
        Journal.load(path)


def test_a_journal_of_another_release_is_not_guessed_at(path: Path) -> None:
    Journal("batch_1", {}).save(path)
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(InvalidInput, match="another release"):
        Journal.load(path)
