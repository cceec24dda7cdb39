"""Producers and the API install without torch; importing them must not ask for it.

Nor does a worker import what its models do not need.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "transformers", "numpy", "safetensors", "pyarrow")


@pytest.mark.parametrize(
    ("modules", "then"),
    [
        ("lepton_tasks", ""),
        ("lepton_tasks.producer", ""),
        ("lepton_tasks.client", ""),
        ("lepton_tasks.nlp.registry", "lepton_tasks.nlp.registry.find_tasks()"),
        ("lepton_tasks.openai.endpoints", ""),
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


def test_a_worker_with_the_default_model_leaves_transformers_out() -> None:
    code = """
import sys
import workers.bootsteps, workers.strategy
from lepton_tasks.nlp.registry import get_task
from lepton_tasks.settings import Settings
from workers.pool import ModelPool
ModelPool({"moderation": get_task("moderation")}, Settings(tune=False)).load_defaults()
heavy = {"transformers", "sympy", "scipy", "huggingface_hub", "alembic", "captum", "matplotlib"}
heavy |= {"opencc", "jieba", "phonenumbers", "stdnum", "datasketch", "sklearn"}
print(*sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
