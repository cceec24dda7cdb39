"""``python -m workers.tuning``: errors are one line, the table names the file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import torch

from tests.support.models import save_decoder
from tests.support.plugins import GENERATION, NOOP, installed
from workers.tuning.__main__ import main


def test_the_table_ends_with_where_the_choice_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    monkeypatch.setenv("LEPTON_THREADS", str(torch.get_num_threads()))
    assert main(["--task", "moderation", "--device", "cpu", "--seconds", "0.01"]) == 0
    shown = capsys.readouterr().out
    [kept] = (tmp_path / "tuning").glob("*.json")
    assert f"kept in {kept}" in shown
    assert "chosen" in shown


def test_a_device_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--task", "moderation", "--device", "tpu0"]) == 1
    assert "error: 'tpu0' is no device" in capsys.readouterr().err


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A second model of the task that does nothing."""
    catalogue = tmp_path / "other.toml"
    catalogue.write_text('[other]\ntask = "noop"\nengine = "noop"\n')
    with installed():
        monkeypatch.setenv("LEPTON_CATALOGUES", f"{NOOP / 'catalogue.toml'}:{catalogue}")
        monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
        monkeypatch.setenv("LEPTON_THREADS", str(torch.get_num_threads()))
        yield


@pytest.mark.usefixtures("other")
def test_another_model_than_the_default_is_measured_and_kept_beside_it(
    tmp_path: Path,
) -> None:
    command = ["--task", "noop", "--seconds", "0.01", "--json"]
    assert main(command) == 0
    assert main([*command, "--model", "other"]) == 0
    kept = (tmp_path / "tuning").glob("*.json")
    assert {orjson.loads(path.read_bytes())["key"]["model"] for path in kept} == {"noop", "other"}


@pytest.mark.usefixtures("other")
def test_a_model_that_is_not_in_the_catalogue_is_answered_with_those_that_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--task", "noop", "--model", "othr"]) == 1
    error = capsys.readouterr().err
    assert "error: no model 'othr' for noop; the catalogue has: noop, other" in error


def test_a_decoder_has_nothing_to_tune(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "generation"
    shutil.copytree(GENERATION, folder)
    save_decoder(folder / "model")
    with installed(folder):
        assert main(["--task", "generation"]) == 1
    assert "error: tiny-generation has no micro-batch size" in capsys.readouterr().err
