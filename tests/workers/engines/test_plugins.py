"""Tasks and engines that other packages bring, by entry points and a catalogue file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.settings import load_settings
from tests.support.plugins import installed
from workers.catalogue.entries import load_catalogue
from workers.engines.loader import load_engine
from workers.errors import CatalogueError
from workers.pool import ModelPool


def test_a_foreign_task_runs_on_a_foreign_engine() -> None:
    before = find_tasks().keys()
    with installed():
        tasks = find_tasks()
        pool = ModelPool({"noop": tasks["noop"]}, load_settings())
        pool.load_defaults()
        engine = pool.default("noop")
        (encoded,) = engine.tokenize([tasks["noop"].encode("四个汉字", None)])
        assert engine.forward([encoded]) == [{"characters": 4}]
    assert find_tasks().keys() == before


def test_an_engine_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    info = tmp_path / "broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[lepton_tasks.engines]\nbroken = nowhere:build\n")
    (tmp_path / "catalogue.toml").write_text('[b]\ntask = "t"\nengine = "broken"\ndefault = true\n')
    with (
        installed(tmp_path),
        pytest.raises(CatalogueError, match="the engine 'broken' cannot be loaded"),
    ):
        load_engine("t", load_catalogue(load_settings()), "cpu")


def test_a_later_catalogue_decides_the_default(tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text(
        '[mine]\ntask = "moderation"\nengine = "text-classifier"\nfolder = "m"\ndefault = true\n'
    )
    with installed(tmp_path):
        catalogue = load_catalogue(load_settings())
    ours = [entry for entry in catalogue.values() if entry.task == "moderation"]
    assert [entry.name for entry in ours if entry.default] == ["mine"]
    assert catalogue["mine"].model_folder == (tmp_path / "m").resolve()


def test_a_model_without_a_folder_is_refused_by_an_engine_that_needs_one(tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text(
        '[mine]\ntask = "moderation"\nengine = "text-classifier"\ndefault = true\n'
    )
    with installed(tmp_path), pytest.raises(CatalogueError, match=r"\[mine\] needs `folder`"):
        load_engine("moderation", load_catalogue(load_settings()), "cpu")
