"""The main job as a user runs it: one command, real processes, and a worker killed half-way."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lepton_tasks.embedded.commands import lepton_command

WAIT = 150.0
LINES = 300


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home on which nothing may be running when the test is over."""
    folder = tmp_path / "home"
    yield folder
    left = [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline", "environ"])
        if (process.info["environ"] or {}).get("LEPTON_HOME") == str(folder)
    ]
    assert left == []


def write_input(path: Path) -> None:
    sentence = "the parcel came late and the box was open but the shop was kind about it"
    lines = [
        {"id": f"line-{n}", "text": f"{n} {sentence} " * 3 if n % 3 else f"第{n}个包裹到得很晚"}
        for n in range(1, LINES + 1)
    ]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def worker_of(run: subprocess.Popen[bytes]) -> psutil.Process | None:
    for process in psutil.Process(run.pid).children(recursive=True):
        if "workers.app" in process.cmdline():
            return process
    return None


def test_a_worker_killed_in_the_middle_costs_no_line(home: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    write_input(source)
    run = subprocess.Popen(
        lepton_command(
            *("batch", "run", str(source), "--task", "moderation", "-o", str(out)),
            *("--shard-size", "8"),
        ),
        env={**os.environ, "LEPTON_HOME": str(home), "LEPTON_REDIS_URL": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    end = time.monotonic() + WAIT
    while not (out.exists() and out.stat().st_size):
        assert run.poll() is None, run.communicate()[0].decode()
        assert time.monotonic() < end
        time.sleep(0.02)
    victim = worker_of(run)
    assert victim is not None
    victim.kill()
    output = run.communicate(timeout=WAIT)[0].decode()
    assert run.returncode == 0, output
    assert "killed by SIGKILL" in output
    results = [json.loads(line) for line in out.read_text().splitlines()]
    assert [result["line"] for result in results] == list(range(1, LINES + 1))
    assert [result["id"] for result in results] == [f"line-{n}" for n in range(1, LINES + 1)]
    assert {result["output"]["language"] for result in results} == {"zh", "en"}
    assert (tmp_path / "out.errors.jsonl").read_text() == ""
