"""A key is one job, however many post it at once, and whenever the API dies."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.keys import killed_after_commit, same_key


def test_posts_of_one_key_make_one_job(database_url: str, tmp_path: Path) -> None:
    assert same_key(database_url, tmp_path, keys=3, posts=64) == {}


def test_an_api_that_died_before_it_answered_is_asked_again(tmp_path: Path) -> None:
    wrong, unanswered = killed_after_commit(f"sqlite:///{tmp_path / 'store.db'}", tmp_path, 1)
    assert wrong == {}
    assert unanswered == 1
