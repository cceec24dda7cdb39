from __future__ import annotations

import os
import stat
from pathlib import Path

from lepton_tasks.launcher.logs import open_log, tail


def test_opens_private_and_appends(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "worker.log"
    for text in (b"one\n", b"two\n"):
        descriptor = open_log(path)
        os.write(descriptor, text)
        os.close(descriptor)
    assert path.read_bytes() == b"one\ntwo\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_large_log_is_moved_aside_and_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    for generation in (b"first ", b"second"):
        path.write_bytes(generation * 10)
        os.close(open_log(path, max_bytes=59))
        assert path.read_bytes() == b""
        assert (tmp_path / "worker.log.1").read_bytes() == generation * 10
    path.write_bytes(b"x" * 59)
    os.close(open_log(path, max_bytes=59))
    assert path.stat().st_size == 59


def test_tail_shows_whole_lines_of_this_run_alone(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    before = "earlier run\n"
    path.write_text(before + "".join(f"第 {n} 行\n" for n in range(1000)), encoding="utf-8")
    assert tail(path, start=len(before), lines=2) == "第 998 行\n第 999 行"
    shown = tail(path, start=len(before), lines=1000, max_bytes=100).splitlines()
    assert shown == [f"第 {n} 行" for n in range(1000 - len(shown), 1000)]
    assert 1 < len(shown) < 10


def test_tail_of_a_short_run_leaves_out_the_run_before(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    path.write_bytes(b"earlier run\nbroken \xff byte")
    assert tail(path, start=12) == "broken \ufffd byte"
    assert tail(path, start=path.stat().st_size) == ""
