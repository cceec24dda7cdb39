"""What tools that only watch import: our queues, and the Redis of the system that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from lepton_tasks.launcher.runfile import claim_home
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.queues import Priority

SHOW = """
import json, sys
from lepton_tasks.celery.monitor import app
print(json.dumps({
    "broker": app.conf.broker_url,
    "queues": sorted(queue.name for queue in app.conf.task_queues),
    "accepts": app.conf.accept_content,
    "services": sorted({"torch", "transformers", "workers", "api"} & set(sys.modules)),
}))
"""


def imported(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Import it as Celery does, in a process with these settings and none of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEPTON_")}
    return subprocess.run(
        [sys.executable, "-c", SHOW],
        env=kept | {"LEPTON_HOME": str(home)} | environment,
        check=False,
        capture_output=True,
        text=True,
    )


def test_the_app_watches_the_system_that_runs_on_this_home(tmp_path: Path) -> None:
    with claim_home(tmp_path) as runfile:
        database_url = f"sqlite:///{tmp_path / 'lepton.db'}"
        runfile.write(redis_url="redis://:p@127.0.0.1:6390/0", database_url=database_url)
        done = imported(tmp_path)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    queues = [f"{task}.{priority.value}" for task in find_tasks() for priority in Priority]
    assert found == {
        "broker": "redis://:p@127.0.0.1:6390/0",
        "queues": sorted(queues),
        "accepts": ["json"],
        "services": [],
    }
    assert not (tmp_path / "lepton.db").exists()  # it only watches


def test_without_a_system_it_says_how_to_start_one(tmp_path: Path) -> None:
    done = imported(tmp_path)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "Start the whole system with `lepton up`, or set LEPTON_REDIS_URL." in last
