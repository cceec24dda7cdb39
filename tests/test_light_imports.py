"""Producers and the API install without torch; importing them must not ask for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "transformers", "numpy", "safetensors")


@pytest.mark.parametrize(
    ("modules", "then"),
    [
        ("lepton_tasks", ""),
        ("lepton_tasks.producer", ""),
        ("lepton_tasks.nlp.registry", "lepton_tasks.nlp.registry.find_tasks()"),
        ("lepton_tasks.cli.main", "lepton_tasks.cli.main.make_cli()"),
        ("api.app", "import lepton_tasks.settings as s; api.app.create_app(s.Settings())"),
        ("api.main, api.__main__", ""),
    ],
)
def test_importing_leaves_the_model_libraries_out(modules: str, then: str) -> None:
    code = f"import sys, {modules}\n{then}\nprint(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
