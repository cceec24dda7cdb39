"""``lepton tune`` as an operator runs it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import orjson

from lepton_tasks.embedded.commands import lepton_command


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        lepton_command("tune", "--seconds", "0.1", *arguments),
        env={**os.environ, "LEPTON_HOME": str(home), "LEPTON_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_curve_is_printed_and_the_choice_kept(tmp_path: Path) -> None:
    done = run(tmp_path, "--task", "moderation", "--device", "cpu", "--json")
    assert done.returncode == 0, done.stderr
    document = orjson.loads(done.stdout)
    assert document["choice"] in document["points"]
    assert {point["threads"] for point in document["points"]} == {1}
    [kept] = (tmp_path / "tuning").glob("*.json")
    assert orjson.loads(kept.read_bytes()) == document


def test_an_unknown_model_is_answered_with_those_there_are(tmp_path: Path) -> None:
    done = run(tmp_path, "--task", "moderation", "--model", "moderatoin", "--device", "cpu")
    assert done.returncode == 1
    assert "no model 'moderatoin' for moderation; the catalogue has: moderation" in done.stderr


def test_an_unknown_task_is_a_usage_error(tmp_path: Path) -> None:
    done = run(tmp_path, "--task", "moderaton")
    assert done.returncode == 2
    assert "the tasks are: " in done.stderr
