"""``lepton run``: what is admitted, and what a process of the model side makes of it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from lepton_tasks.cli import main as cli
from lepton_tasks.cli import run as module
from lepton_tasks.embedded.commands import lepton_command
from lepton_tasks.nlp.registry import find_tasks
from tests.support.pairs import Pairs
from tests.support.plugins import plugin_environment

PATIENCE = 120.0


@pytest.fixture
def admitted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Run the command up to where the model side would take over: the request, or the code."""
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    monkeypatch.setattr(module, "find_tasks", lambda: {**find_tasks(), "pairs": Pairs()})
    taken: list[Any] = []

    def become(command: list[str], settings: Any, stdin: bytes) -> None:
        taken.append(orjson.loads(stdin))

    monkeypatch.setattr(module, "become", become)

    def run(*arguments: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["lepton", "run", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return taken.pop() if taken else end.value.code

    return run


def test_texts_options_and_fields_become_a_request(admitted: Callable[..., Any]) -> None:
    options = ["--option", "block_at=0.8", "--option", 'thresholds={"hate": 0.2}']
    assert admitted("moderation", "你好", *options, "--language", "zh", "--model", "m") == {
        "task": "moderation",
        "inputs": ["你好"],
        "single": True,
        "options": {
            "language": "zh",
            "model": "m",
            "thresholds": {"hate": 0.2},
            "block_at": 0.8,
        },
        "json": False,
        "stream": False,
    }
    several = admitted("moderation", "--json", "一", "two", "--", "-3")
    assert (several["inputs"], several["single"]) == (["一", "two", "-3"], False)
    assert several["json"] is True
    assert admitted("moderation", "--input", '["早", "hi"]')["inputs"] == ["早", "hi"]
    pair = admitted("pairs", "--field", "text=5", "--field", "others=五", "--field", "others=6")
    assert pair["inputs"] == [{"text": "5", "others": ["五", "6"]}]
    said = admitted("chat", "你好")
    assert said["inputs"] == [{"messages": [{"role": "user", "content": "你好"}]}]
    assert len(admitted("chat", "你好", "hi")["inputs"]) == 2
    assert admitted("chat", "你好", "--option", "conversation=conv_1") == 2
    whole = admitted("pairs", "--input", '[{"text": "好", "case": false}]')
    assert (whole["inputs"], whole["single"]) == ([{"text": "好", "case": False}], False)


def test_a_text_is_streamed_to_a_terminal_or_when_asked(
    admitted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def streamed(*arguments: str) -> tuple[Any, Any]:
        message = admitted(*arguments)
        return message["stream"], message["options"].get("stream")

    assert streamed("generation", "今天") == (False, None)
    assert streamed("chat", "你好", "--stream") == (True, True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert streamed("generation", "今天") == (True, True)
    assert streamed("generation", "今天", "--no-stream") == (False, None)
    assert streamed("generation", "今天", "--json") == (False, None)
    assert streamed("moderation", "今天") == (False, None)


def test_a_text_may_come_on_standard_input(
    admitted: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def send(data: bytes) -> Any:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        return admitted("moderation")

    assert send("第一行\nline two\r\n".encode())["inputs"] == ["第一行\nline two"]
    assert send(b"") == 2
    assert "is empty" in capsys.readouterr().err
    assert send("好".encode() + b"\xff") == 2
    assert "standard input is not UTF-8 at byte 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["moderatoin", "x"], "there is no task 'moderatoin'; the tasks are: "),
        (["moderation", "x", "--option", "colour=red"], "no option 'colour'; its options are bl"),
        (["moderation", "x", "--option", "block_at=7"], "options.block_at: "),
        (["moderation", "x", "--option", "block_at"], "--option takes name=value"),
        (["moderation", "x", "--language", "fr"], "options.language: Input should be 'en'"),
        (["moderation", ""], "input is empty"),
        (["moderation", "x", "--input", '"y"'], "only one of the three"),
        (["moderation", "--field", "text=x"], "an item of moderation is one text"),
        (["moderation", "--input", "{"], "--input is not valid JSON"),
        (["moderation", "--input", "[]"], "inputs is empty"),
        (["training", "x"], "a job of a running system, by `lepton train`"),
        (["compression", "x"], "a job of a running system, by `lepton models compress`"),
        (["pairs", "x"], "use --field text=…"),
        (["pairs", "--field", "others=x"], "input.text: Field required"),
        (["pairs", "--field", "text=x", "--field", "colour=red"], "input.colour"),
        (["similarity", "--field", "text=x"], "input.other: Field required"),
        (["similarity", "--field", "text=x", "--option", "corpus=c"], "lepton batch run"),
        (["chat", "Hello", "--option", "corpus=c"], "lepton batch run"),
        (["moderation", "x", "--stream"], "moderation writes no text"),
        (["generation", "x", "--stream", "--json"], "leave one out"),
    ],
)
def test_what_is_wrong_is_a_usage_error_that_names_it(
    admitted: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    assert admitted(*arguments) == 2
    assert says in capsys.readouterr().err


def start(home: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        lepton_command("run", *arguments),
        env={**os.environ, **plugin_environment(), "LEPTON_HOME": str(home), **more},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def test_an_answer_without_a_server(tmp_path: Path) -> None:
    run = start(tmp_path, "noop")
    printed, said = run.communicate("好" * 18_000, timeout=PATIENCE)
    assert run.returncode == 0, said
    assert printed == "characters  18000\n\n(noop 0)\n"
    assert "loading the model noop" in said
    assert not list(tmp_path.iterdir())


def test_an_unknown_model_is_a_usage_error_with_those_there_are(tmp_path: Path) -> None:
    run = start(tmp_path, "noop", "x", "--model", "nop")
    printed, said = run.communicate(timeout=PATIENCE)
    assert (run.returncode, printed) == (2, "")
    assert "no model 'nop' for noop; the catalogue has: noop" in said


def test_an_interrupt_ends_it_without_a_traceback(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    run = start(tmp_path, "noop", "x", NOOP_GATE=str(gate))
    assert run.stderr is not None
    end = time.monotonic() + PATIENCE
    said = ""
    while "loaded" not in said:
        assert time.monotonic() < end
        said += run.stderr.readline()
    run.send_signal(signal.SIGINT)
    printed, rest = run.communicate(timeout=PATIENCE)
    assert (run.returncode, printed) == (130, "")
    assert "Traceback" not in rest
