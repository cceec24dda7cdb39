"""Lines are the same however they come, and long ones are not gathered anew for every piece."""

from __future__ import annotations

import tracemalloc

from lepton_tasks.client.whole_lines import WholeLines

TEXT = "一\n\n二二\r\nthree".encode()


def test_lines_are_the_same_wherever_they_are_cut() -> None:
    for size in range(1, len(TEXT) + 1):
        lines = WholeLines()
        pieces = [TEXT[at : at + size] for at in range(0, len(TEXT), size)]
        assert [line for piece in pieces for line in lines.feed(piece)] == TEXT.split(b"\n")[:-1]
        assert lines.rest == b"three"


def test_a_long_line_is_put_together_once() -> None:
    lines, piece = WholeLines(), b"x" * 10_000
    tracemalloc.start()
    try:
        for _ in range(500):
            assert lines.feed(piece) == []
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1 << 20  # the pieces are the server's; nothing was copied
    assert lines.feed(b"\n") == [piece * 500]
