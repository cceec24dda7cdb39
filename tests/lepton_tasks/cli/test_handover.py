"""A command becomes the service it starts, with the settings it was given."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lepton_tasks.cli.handover import require_package
from lepton_tasks.errors import ConfigError

PROGRAM = """
import sys
from lepton_tasks.cli.handover import become
from lepton_tasks.settings import Settings
look = "import os; print(os.getpid(), os.environ['LEPTON_LEASE_SECONDS']); raise SystemExit(7)"
become([sys.executable, "-c", look], Settings(lease_seconds=4.5))
"""


def test_the_process_stays_the_same_and_its_exit_code_is_the_services() -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    printed, _ = process.communicate(timeout=60)
    assert printed.split() == [str(process.pid), "4.5"]
    assert process.returncode == 7


def test_a_missing_package_says_what_to_install() -> None:
    require_package("lepton_tasks", "worker")
    with pytest.raises(ConfigError, match=r"\.\[worker\]"):
        require_package("no_such_package", "worker")


def test_what_the_service_is_to_read_is_its_standard_input() -> None:
    program = PROGRAM.replace("os.getpid()", "len(open(0, 'rb').read())").replace(
        "Settings(lease_seconds=4.5)", "Settings(lease_seconds=4.5), b'x' * 300_000"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["300000", "4.5"]
