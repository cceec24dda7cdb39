"""Checkpoints: whole or the one before, of the same run or none."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest
import torch

from workers.longruns.checkpoints import Checkpoints

WEIGHTS = {"w": torch.arange(5.0)}


def test_the_last_one_is_gone_on_from(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, "run")
    assert kept.load() is None
    for step in (1, 2, 3):
        kept.store({"step": step}, {"w": WEIGHTS["w"] * step})
    found = Checkpoints(tmp_path, "run").load()
    assert found is not None
    assert found[0] == {"step": 3}
    assert torch.equal(found[1]["w"], WEIGHTS["w"] * 3)
    assert Checkpoints(tmp_path, "another").load() is None


@pytest.mark.parametrize("left", [0, 5, 60, -1])
def test_one_that_was_cut_short_gives_way_to_the_one_before(tmp_path: Path, left: int) -> None:
    kept = Checkpoints(tmp_path, "run")
    kept.store({"step": 1}, WEIGHTS)
    kept.store({"step": 2}, WEIGHTS)
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:left])
    found = kept.load()
    assert found is not None and found[0] == {"step": 1}
    (tmp_path / "checkpoint.previous.safetensors").write_bytes(b"{}")
    assert kept.load() is None


def test_a_disk_without_room_keeps_the_one_before(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, "run")
    kept.store({"step": 1}, WEIGHTS)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        for _ in range(2):
            with pytest.raises(OSError):
                kept.store({"step": 2}, {"w": torch.zeros(5_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    found = kept.load()
    assert found is not None and found[0] == {"step": 1}
    assert len(list(tmp_path.iterdir())) == 1
