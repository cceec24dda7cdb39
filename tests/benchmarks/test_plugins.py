"""The benchmark's tasks are as light for producers as anybody's."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.benchmarks.children import ROOT
from tests.benchmarks.contenders.ours import plugins

_PROGRAM = """
import sys
from lepton_tasks.nlp.registry import find_tasks
assert {"minilm", "noop"} <= set(find_tasks()), list(find_tasks())
assert "torch" not in sys.modules
"""


def test_finding_the_tasks_does_not_import_torch() -> None:
    environment = {**os.environ, **plugins()}
    command = [sys.executable, "-c", _PROGRAM]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
