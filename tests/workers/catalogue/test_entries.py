"""Catalogue files: what they say, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lepton_tasks.nlp.registry import interactive_tasks
from lepton_tasks.settings import load_settings
from workers.catalogue.entries import DEFAULT_CATALOGUE, choose, load_catalogue, read_catalogue
from workers.errors import CatalogueError


def test_default_catalogue_serves_moderation_from_a_folder_that_is_there() -> None:
    entry = choose(read_catalogue(DEFAULT_CATALOGUE), "moderation", None)
    assert (entry.model_folder / "model.safetensors").is_file()
    assert (entry.model_folder / "CARD.md").is_file()
    assert entry.demo is False


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = [", "not valid TOML"),
        ("a = 1", "'a' stands outside any table"),
        ('[a]\ntask = "t"', r"\[a\] engine: Field required"),
        ('[a]\ntask="t"\nengine="e"\nfolder="f"\ndtype="int3"', r"\[a\] dtype: .*float32"),
        ('[a]\ntask="t"\nengine="e"\nfolder="f"\ncolour="red"', r"\[a\] colour: Extra inputs"),
    ],
)
def test_faults_name_model_and_field(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError, match=says):
        read_catalogue(path)


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"absent\.toml cannot be read"):
        read_catalogue(tmp_path / "absent.toml")


def test_exactly_one_default(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    table = '[{}]\ntask = "t"\nengine = "e"\nfolder = "f"\ndefault = true\n'
    path.write_text(table.format("a") + table.format("b"), encoding="utf-8")
    entries = read_catalogue(path)
    with pytest.raises(CatalogueError, match="2 models"):
        choose(entries, "t", None)
    assert choose(entries, "t", "b").folder == (tmp_path / "f").resolve()


@pytest.mark.parametrize("profile", ["default", "production"])
def test_every_example_finds_the_model_that_it_needs(
    profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    if profile == "production":
        monkeypatch.setenv("LEPTON_PROFILE", profile)
    catalogue = load_catalogue(load_settings())
    for task in interactive_tasks().values():
        for example in task.examples:
            options = task.options_model.model_validate(dict(example.options))
            found = choose(catalogue, task.name, task.model_of(options))
            assert found.hub is None or profile == "production"
