"""Tasks are found in the package and through entry points."""

from __future__ import annotations

import sys
from importlib.metadata import DistributionFinder
from pathlib import Path

import pytest

from lepton_tasks.errors import ConfigError, UnknownTask
from lepton_tasks.nlp.registry import ENTRY_POINTS, find_tasks, get_task

FOREIGN = """
from lepton_tasks.nlp.moderation import Moderation

class Echo(Moderation):
    name = "{name}"

not_a_task = 3
"""


def install(folder: Path, name: str, value: str) -> None:
    """Lay out a distribution as pip does, with one entry point of our group."""
    (folder / "echo_tasks.py").write_text(FOREIGN.format(name=name), encoding="utf-8")
    info = folder / "echo_tasks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: echo-tasks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\necho = {value}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "echo_tasks", raising=False)
    for finder in sys.meta_path:
        if isinstance(finder, DistributionFinder):
            finder.invalidate_caches()
    return tmp_path


def test_moderation_is_found_and_names_are_keys() -> None:
    tasks = find_tasks()
    assert "moderation" in tasks
    assert all(task.name == name for name, task in tasks.items())
    assert list(tasks) == sorted(tasks)


def test_unknown_task_lists_the_known_ones() -> None:
    with pytest.raises(UnknownTask, match=r"'moderatoin'.*moderation") as caught:
        get_task("moderatoin")
    assert caught.value.param == "task"


def test_other_packages_add_tasks(site: Path) -> None:
    install(site, "echo", "echo_tasks:Echo")
    assert get_task("echo").name == "echo"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("moderation", "echo_tasks:Echo", "second task named 'moderation'"),
        ("echo", "echo_tasks:not_a_task", "no concrete Task class"),
        ("echo", "echo_tasks:absent", "cannot be loaded"),
    ],
)
def test_broken_entry_points_are_named(site: Path, name: str, value: str, says: str) -> None:
    install(site, name, value)
    with pytest.raises(ConfigError, match=says):
        find_tasks()
