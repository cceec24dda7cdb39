"""A key is one job, however many post it at once."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.keys import same_key


def test_posts_of_one_key_make_one_job(database_url: str, tmp_path: Path) -> None:
    assert same_key(database_url, tmp_path, keys=3, posts=64) == {}
