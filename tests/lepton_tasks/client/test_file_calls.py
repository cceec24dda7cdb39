from __future__ import annotations

from pathlib import Path

import pytest

from lepton_tasks.client.file_calls import kept_if_whole


def test_a_file_is_there_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"old")
    with kept_if_whole(path) as content:
        content.write(b"new")
        content.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    with pytest.raises(OSError, match="full"), kept_if_whole(path) as content:
        content.write(b"half")
        raise OSError("the disk is full")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
