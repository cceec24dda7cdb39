"""``python -m workers.tuning``: errors are one line, the table names the file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from workers.tuning.__main__ import main


def test_the_table_ends_with_where_the_choice_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    monkeypatch.setenv("LEPTON_THREADS", str(torch.get_num_threads()))
    assert main(["--task", "moderation", "--device", "cpu", "--seconds", "0.01"]) == 0
    shown = capsys.readouterr().out
    [kept] = (tmp_path / "tuning").glob("*.json")
    assert f"kept in {kept}" in shown
    assert "chosen" in shown


def test_a_device_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--task", "moderation", "--device", "tpu0"]) == 1
    assert "error: 'tpu0' is no device" in capsys.readouterr().err
