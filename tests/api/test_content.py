"""Parts of a file, and content that is not what its row says."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.content import open_content, part_asked_for
from api.errors import ApiError
from lepton_tasks.errors import StorageUnavailable


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", range(1)),
        ("Bytes = 3-", range(3, 10)),
        ("bytes=-99", range(10)),
        ("bytes=9-9", range(9, 10)),
        ("bytes=-", None),
        ("bytes=4-2", None),
        ("bytes=0-1,3-4", None),
        ("bytes=一-二", None),
        ("", None),
    ],
)
def test_a_part_is_found_or_the_whole_is_given(asked: str, part: range | None) -> None:
    assert part_asked_for(asked, 10) == part


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=-0", "bytes=99-100"])
def test_a_part_that_is_not_there_is_refused(asked: str) -> None:
    with pytest.raises(ApiError) as refused:
        part_asked_for(asked, 10)
    assert refused.value.status == 416
    assert refused.value.headers == {"content-range": "bytes */10"}


def test_content_is_opened_only_where_it_is_whole(tmp_path: Path) -> None:
    (tmp_path / "whole").write_bytes(b"12345")
    with open_content(tmp_path / "whole", 5) as content:
        assert content.read() == b"12345"
    for name, size in (("whole", 6), ("missing", 5)):
        with pytest.raises(StorageUnavailable):
            open_content(tmp_path / name, size)
