"""``lepton models``: what it asks of the model side."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lepton_tasks.cli import main as cli
from lepton_tasks.cli import models as module
from lepton_tasks.settings import Settings

Asked = Callable[..., list[str]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Asked:
    """Run the command up to where the model side takes over: the arguments it gets."""
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    taken: list[list[str]] = []

    def become(command: list[str], settings: Settings) -> None:
        taken.append(command)

    monkeypatch.setattr(module, "become", become)

    def run(*arguments: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", ["lepton", "models", *arguments])
        with pytest.raises(SystemExit):
            cli.main()
        command = taken.pop()
        assert command[:3] == [sys.executable, "-m", "workers.catalogue"]
        return command[3:]

    return run


@pytest.mark.parametrize(
    ("typed", "handed_over"),
    [
        (["list"], ["list"]),
        (["list", "--task", "sentiment", "--json"], ["list", "--task", "sentiment", "--json"]),
        (["show", "bge-m3"], ["show", "--", "bge-m3"]),
        (["verify"], ["verify", "--"]),
        (["verify", "a", "--", "-b"], ["verify", "--", "a", "-b"]),
        (["versions", "topics", "--json"], ["versions", "--json", "--", "topics"]),
        (["swap", "topics", "v2"], ["swap", "--", "topics", "v2"]),
        (
            ["swap", "topics", "v2", "--wait", "--timeout", "9"],
            ["swap", "--wait", "--timeout", "9", "--", "topics", "v2"],
        ),
        (["rollback", "topics", "--json"], ["rollback", "--json", "--", "topics"]),
        (["pull", "--newest", "a", "b"], ["pull", "--newest", "--", "a", "b"]),
    ],
)
def test_the_model_side_is_asked(asked: Asked, typed: list[str], handed_over: list[str]) -> None:
    assert asked(*typed) == handed_over
