"""Folders of checkpoints: inside of their root whatever a job's id is, gone when it has ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.longruns.folders import RunFolders

OWN = "job_0rxdrxcwbqehfzs4knk5ndx7c0"
UUID = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"


@pytest.mark.parametrize("job_id", [OWN, UUID, "../../away", "/away", "作业 1", "a-1"])
def test_of_any_job_inside_of_the_root_and_removed_when_it_has_ended(
    tmp_path: Path, job_id: str
) -> None:
    root = tmp_path / "of" / "runs"
    folders = RunFolders(root)
    made = folders.make(job_id, 3)
    assert made.parent == root and made.is_dir()
    assert made == folders.make(job_id, 3)
    assert folders.sweep(lambda ids: {job_id}.intersection(ids), ()) == 0
    assert folders.sweep(lambda ids: set(), {job_id}) == 0
    assert folders.sweep(lambda ids: set(), ()) == 1
    assert [path for path in tmp_path.rglob("*") if path != root] == [root.parent]


def test_what_is_no_folder_of_a_run_stays(tmp_path: Path) -> None:
    for name in ("backup-2024", "job_", "celery"):
        (tmp_path / name).mkdir()
    assert RunFolders(tmp_path).sweep(lambda ids: set(), ()) == 0
    assert len(list(tmp_path.iterdir())) == 3
