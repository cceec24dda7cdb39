"""The child of a long run: what it says, how it is paused, how it dies with its worker."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from safetensors import SafetensorError

from tests.support.labelled import opinions
from workers.custom.keeper import Keeper
from workers.longruns.checkpoints import Checkpoints
from workers.longruns.child import Paused, RunFailed, Speaker, why
from workers.longruns.process import PAUSED_EXIT, LongProcess


def test_a_child_that_is_asked_to_end_stores_and_says_so(tmp_path: Path) -> None:
    request = {
        "item": {
            "rows": [{**row, "label": "abcdefgh"[n % 8]} for n, row in enumerate(opinions(900))]
        },
        "options": {"model": "paused", "epochs": 100},
        "folder": str(tmp_path),
        "run": "run",
    }
    process = LongProcess("workers.custom", request, {"LEPTON_THREADS": "1"})
    stages: list[str] = []
    for line in process.said():
        stages.append(line["progress"]["stage"])
        process.pause()
    assert process.exit_code() == PAUSED_EXIT
    assert stages[0] == "reading"
    assert (tmp_path / "checkpoint.safetensors").is_file()


def test_a_child_that_cannot_be_run_is_told_by_its_exit_code() -> None:
    process = LongProcess("workers.no_such_module", {}, {})
    assert list(process.said()) == []
    assert process.exit_code() == 1


def said(speaker_lines: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line)["progress"] for line in speaker_lines.splitlines()]


def test_progress_is_said_now_and_then_with_a_guess_of_what_is_left() -> None:
    out, clock = io.BytesIO(), [0.0]
    speaker = Speaker(out, lambda: clock[0])
    for step in range(101):
        clock[0] = step * 0.1
        speaker.progress("training", step / 100, step=step, steps=100, loss=None)
    speaker.progress("measuring", 1.0)
    found = said(out.getvalue())
    assert len(found) < 30
    assert found[0] == {"stage": "training", "fraction": 0.0, "step": 0, "steps": 100}
    assert found[10]["eta_seconds"] == pytest.approx(10 * (1 - found[10]["fraction"]), abs=0.2)
    assert found[-1]["stage"] == "measuring"


def test_a_unit_that_is_paused_is_stored(tmp_path: Path) -> None:
    speaker = Speaker(io.BytesIO())
    keeper = Keeper(Checkpoints(tmp_path, "run"), speaker)
    keeper.note("one", lambda: ({"at": 1}, {}))
    assert not list(tmp_path.iterdir())
    keeper.finish("one", {})
    speaker.pausing = True
    with pytest.raises(Paused):
        keeper.note("two", lambda: ({"at": 2}, {}))
    again = Keeper(Checkpoints(tmp_path, "run"), speaker)
    assert again.resumed and again.finished("one") == {} and again.finished("two") is None
    assert again.current("two") == ({"at": 2}, {}) and again.current("one") is None


def test_errors_are_told_without_what_they_quote() -> None:
    assert why(RunFailed("code", "says"))["message"] == "says"
    for error in (ValueError("SECRET"), KeyError("SECRET"), OSError(5, "SECRET")):
        assert "SECRET" not in str(why(error))
    assert why(MemoryError())["code"] == "out_of_memory"
    assert why(OSError(28, os.strerror(28)))["code"] == "disk_full"
    for kind in (SafetensorError, RuntimeError):
        assert why(kind("No space left on device (os error 28)"))["code"] == "disk_full"
