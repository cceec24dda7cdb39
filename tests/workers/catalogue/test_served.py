"""The served version of a name stands in the place of the catalogue's entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.settings import Settings
from lepton_tasks.versions import Versions
from tests.support.encoders import table, write_encoder, write_heads
from tests.support.versions import publish
from workers.catalogue.__main__ import main
from workers.catalogue.entries import CatalogueEntry, choose, load_catalogue
from workers.catalogue.served import following
from workers.engines.loader import load_engine
from workers.errors import CatalogueError

EXPLAINER = """
[why]
task = "explanation"
default = true
engine = "explainer"
folder = "{folder}"
encoder_folder = "{encoder}"
max_tokens = 64
options = {{ task = "moderation", model = "plain", steps = 2 }}
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A catalogue with the default ``plain`` and its explainer."""
    encoder, heads = write_encoder(tmp_path / "encoder"), write_heads(tmp_path / "heads", 1)
    catalogue = tmp_path / "catalogue.toml"
    explainer = EXPLAINER.format(folder=heads, encoder=encoder)
    catalogue.write_text(table("plain", heads, encoder, default=True) + explainer)
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEPTON_CATALOGUES", str(catalogue))
    return Settings()


@pytest.fixture
def versions(settings: Settings) -> Versions:
    return Versions(settings.model_versions)


def version_of(versions: Versions, tmp_path: Path, model: str = "plain", **entry: Any) -> str:
    """Publish other heads over the same encoder."""
    folder = tmp_path / f"heads of {len(versions.versions(model))} {model}"
    encoder = {"encoder_folder": str(tmp_path / "encoder")}
    return publish(versions, model, write_heads(folder, 2), {**encoder, **entry})


def test_a_served_version_replaces_folder_and_options(
    settings: Settings, versions: Versions, tmp_path: Path
) -> None:
    own = load_catalogue(settings)["plain"]
    name = version_of(versions, tmp_path, max_tokens=32, demo=True, name="other", folder="/nowhere")
    assert load_catalogue(settings)["plain"] == own
    versions.serve("plain", name)
    entry = choose(load_catalogue(settings), "moderation", None)
    assert (entry.name, entry.version, entry.default) == ("plain", name, True)
    assert entry.folder == versions.folder / "plain" / name
    assert (entry.max_tokens, entry.demo, entry.options) == (32, True, {})
    engine = load_engine("moderation", {"plain": entry}, "cpu", "plain")
    assert (engine.name, engine.revision) == ("plain", name)
    assert engine.lane.key.revision != name
    versions.rollback("plain")
    assert load_catalogue(settings)["plain"] == own


def test_a_model_of_versions_alone_is_an_entry(
    settings: Settings, versions: Versions, tmp_path: Path
) -> None:
    name = version_of(versions, tmp_path, "trained")
    assert "trained" not in load_catalogue(settings)
    versions.serve("trained", name)
    entry = load_catalogue(settings)["trained"]
    assert (entry.task, entry.version, entry.default) == ("moderation", name, False)
    versions.rollback("trained")
    assert "trained" not in load_catalogue(settings)


def test_an_encoder_within_the_version_is_found(versions: Versions, tmp_path: Path) -> None:
    name = version_of(versions, tmp_path, encoder_folder="encoder")
    versions.serve("plain", name)
    entry = load_catalogue(Settings())["plain"]
    assert entry.encoder_folder == versions.folder / "plain" / name / "encoder"


def test_an_explainer_explains_the_version_that_serves(
    settings: Settings, versions: Versions, tmp_path: Path
) -> None:
    name = version_of(versions, tmp_path)
    versions.serve("plain", name)
    catalogue = load_catalogue(settings)
    assert catalogue["why"].folder == catalogue["plain"].folder
    assert catalogue["why"].options["steps"] == 2
    engine = load_engine("explanation", {"why": catalogue["why"]}, "cpu", "why")
    assert engine.revision == name
    classifier: Any = load_engine("moderation", catalogue, "cpu", "plain")
    asked = [ModelInput("what a day", "en")]
    whole: Any = engine
    scored = whole._classifier.forward(whole._classifier.tokenize(asked))
    assert dict(scored[0]) == dict(classifier.forward(classifier.tokenize(asked))[0])


def test_an_explainer_with_a_version_of_its_own_keeps_it() -> None:
    explained = CatalogueEntry(name="a", task="t", engine="e", version="1", folder=Path("/one"))
    fields = {"task": "explanation", "engine": "explainer", "options": {"model": "a"}}
    own = CatalogueEntry(name="b", version="7", folder=Path("/seven"), **fields)
    lone = CatalogueEntry(name="c", **{**fields, "options": {"model": "absent"}})
    entries = {"a": explained, "b": own, "c": lone}
    assert following(entries) == entries


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"task": "sentiment"}, "is of the task sentiment, and the model serves moderation"),
        ({"colour": "red"}, r"entry\.json: colour: Extra inputs"),
        ({"max_tokens": 4}, r"entry\.json: max_tokens"),
    ],
)
def test_a_version_that_is_no_entry_is_named(
    settings: Settings, versions: Versions, tmp_path: Path, entry: Any, says: str
) -> None:
    name = version_of(versions, tmp_path, **entry)
    versions.serve("plain", name)
    with pytest.raises(CatalogueError, match=f"version {name} of plain.*{says}"):
        load_catalogue(settings)


def test_a_served_version_that_is_gone_is_named(
    settings: Settings, versions: Versions, tmp_path: Path
) -> None:
    name = version_of(versions, tmp_path)
    versions.serve("plain", name)
    (versions.folder / "plain" / name).rename(tmp_path / "gone")
    with pytest.raises(CatalogueError, match=f"plain has no version '{name}'"):
        load_catalogue(settings)


def test_versions_are_listed_shown_and_verified(
    settings: Settings,
    versions: Versions,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = version_of(versions, tmp_path)
    versions.serve("plain", name)
    assert main(["list", "--task", "moderation"]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if " plain " in line]
    assert name in row.split()
    assert main(["show", "plain", "--json"]) == 0
    shown = orjson.loads(capsys.readouterr().out)
    assert shown["version"] == shown["revision"] == name
    assert shown["card"].startswith("# 版本")
    assert main(["verify", "plain", "why"]) == 0
    (versions.folder / "plain" / name / "model.safetensors").write_bytes(b"no weights")
    assert main(["verify", "plain"]) == 1
