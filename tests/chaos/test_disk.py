"""A full disk is an error for whoever submits, and costs no job that was acknowledged."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.disk import MountRefused, full_database, full_disk


def test_a_full_disk_is_an_error_and_no_loss(tmp_path: Path) -> None:
    try:
        verdict, refused = full_disk(tmp_path, 100)
    except MountRefused:  # without root: SQLite is told that its file is full
        verdict, refused = full_database(tmp_path, 100)
    assert refused > 0
    assert verdict.faults() == {}
    assert verdict.states.keys() == {"succeeded"}
