"""How the command ends: the exit code, and one line that says why."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from lepton_tasks import __version__
from lepton_tasks.cli import main as cli
from lepton_tasks.errors import ConfigError, InvalidInput, LeptonError, NotFound, StoreUnavailable

COMMANDS = [
    "up",
    "worker",
    "api",
    "io",
    "run",
    "tune",
    "models",
    "batch",
    "corpora",
    "keys",
    "db",
    "dead",
    "quarantine",
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    for name in ("LEPTON_REDIS_URL", "LEPTON_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


Ends = Callable[..., int]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Ends:
    """Run the command in this process; returns its exit code."""

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["lepton", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0)

    return run


def plain(shown: str) -> str:
    """What is shown, without its colours, which some terminals get."""
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)


def test_every_part_is_listed(ends: Ends, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends("--help") == 0
    shown = plain(capsys.readouterr().out)
    for command in COMMANDS:
        assert f" {command} " in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_part_explains_itself(
    ends: Ends, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert ends(command, "-h") == 0
    assert f"lepton {command}" in plain(capsys.readouterr().out)


def test_the_version_is_that_of_the_package(ends: Ends, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends("--version") == 0
    assert capsys.readouterr().out == f"{__version__}\n"
    assert ends("--version", "db", "check") == 0


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["db", "nonsense"]])
def test_wrong_usage_is_2(ends: Ends, arguments: list[str]) -> None:
    assert ends(*arguments) == 2


def test_a_wrong_setting_is_2_and_named(
    ends: Ends, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEPTON_LEASE_SECONDS", "很久")
    assert ends("db", "check") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: LEPTON_LEASE_SECONDS: ")
    assert printed.err.count("\n") == 1


def test_what_could_not_be_done_is_1(ends: Ends, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends("db", "check") == 1
    assert capsys.readouterr().err.startswith("error: the database has no tables yet")
    assert ends("keys", "revoke", "key_无") == 1
    assert "no active key key_无" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("wrong", "input"), 2),
        (ConfigError("wrong"), 2),
        (NotFound("none"), 1),
        (StoreUnavailable("away"), 1),
        (LeptonError("坏了 \udcff"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_the_kind_of_an_error_decides(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    failing = typer.Typer()

    @failing.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "make_cli", lambda: failing)
    assert ends() == code


def test_an_interrupt_outside_of_a_command_is_130(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> typer.Typer:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "make_cli", interrupted)
    assert ends() == 130


def test_an_error_that_is_not_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = typer.Typer(pretty_exceptions_enable=False)

    @failing.command()
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "make_cli", lambda: failing)
    monkeypatch.setattr(sys, "argv", ["lepton"])
    with pytest.raises(ZeroDivisionError):
        cli.main()
