"""``lepton up`` as a user meets it: it prints where everything is, serves, and leaves nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from lepton_tasks.embedded.commands import lepton_command
from lepton_tasks.launcher.ports import free_port

WAIT = 120.0
SECRET = "canary-紫色的河马-4711"


class Up:
    """A running ``lepton up``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.api_port, self.flower_port = free_port(), free_port()
        self.process = subprocess.Popen(
            lepton_command(
                *("up", "--api-port", str(self.api_port)),
                *("--flower-port", str(self.flower_port)),
            ),
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.printed = ""
        for line in self.process.stdout:
            self.printed += line
            if "Ctrl-C" in line:
                break
        self.key = self._find(r"key +(lpt_\S+)")
        self.login = tuple(self._find(r"login (\S+)\)").split(":"))
        self.api = httpx.Client(
            base_url=f"http://127.0.0.1:{self.api_port}",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=70,
            trust_env=False,
        )
        self.flower = httpx.Client(
            base_url=f"http://127.0.0.1:{self.flower_port}", timeout=30, trust_env=False
        )

    def _find(self, pattern: str) -> str:
        found = re.search(pattern, self.printed)
        assert found, self.printed
        return found[1]


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "LEPTON_HOME": str(home), "LEPTON_TUNE": "false"}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("up") / "home")
    yield running
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGINT)
        running.process.wait(60)


def test_the_printed_key_works(up: Up) -> None:
    created = up.api.post("/v1/jobs", json={"task": "moderation", "input": SECRET})
    assert created.status_code == 202
    job = up.api.get(f"/v1/jobs/{created.json()['id']}?wait=60").json()
    assert job["state"] == "succeeded"
    assert job["output"]["language"] == "zh"


def test_flower_wants_its_login_and_shows_no_text(up: Up) -> None:
    assert up.flower.get("/api/workers").status_code == 401
    end = time.monotonic() + 60
    while time.monotonic() < end:
        answer = up.flower.get("/api/tasks", auth=up.login)  # type: ignore[arg-type]
        tasks = [task for task in answer.json().values() if task["state"] == "SUCCESS"]
        if tasks:
            break
        time.sleep(0.5)
    [task, *_] = tasks
    assert task["name"] == "lepton.moderation"
    assert task["runtime"] >= 0
    assert SECRET not in json.dumps(answer.json(), ensure_ascii=False)
    assert "canary" not in answer.text


def test_flower_knows_the_queues(up: Up) -> None:
    answer = up.flower.get("/api/queues/length", auth=up.login)  # type: ignore[arg-type]
    names = {queue["name"] for queue in answer.json()["active_queues"]}
    assert names >= {"moderation.high", "moderation.normal", "moderation.bulk"}


def test_a_second_one_on_the_same_home_is_refused(up: Up) -> None:
    again = subprocess.run(
        lepton_command(
            *("up", "--api-port", str(free_port())), *("--flower-port", str(free_port()))
        ),
        env=environment(up.home),
        capture_output=True,
        text=True,
        timeout=WAIT,
    )
    assert again.returncode == 1
    assert f"already running on {up.home}, pid {up.process.pid}" in again.stderr


def test_an_occupied_port_is_named(up: Up, tmp_path: Path) -> None:
    taken = subprocess.run(
        lepton_command("up", "--api-port", str(up.api_port)),
        env=environment(tmp_path / "other"),
        capture_output=True,
        text=True,
        timeout=WAIT,
    )
    assert taken.returncode == 1
    assert f"port {up.api_port}" in taken.stderr
    assert "--api-port" in taken.stderr


def test_ctrl_c_leaves_nothing(up: Up) -> None:
    """Last, as it ends the system."""
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(60) == 0
    left = [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline", "environ"])
        if (process.info["environ"] or {}).get("LEPTON_HOME") == str(up.home)
    ]
    assert left == []
    assert not (up.home / "run" / "up.json").exists()


def test_parts_alone_say_what_is_missing(tmp_path: Path) -> None:
    for part in ("worker", "api", "io"):
        alone = subprocess.run(
            lepton_command(part),
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=WAIT,
        )
        assert alone.returncode == 2, part
        assert "lepton up" in alone.stderr, part
