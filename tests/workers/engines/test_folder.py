"""A model folder is checked before anything in it is believed, and what is wrong is named."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from workers.engines.folder import CONFIG, WEIGHTS, read_config, read_folder, weights_header
from workers.errors import ModelRefused


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "模型 one"
    path.mkdir()
    (path / CONFIG).write_text('{"model_type": "bert", "标签": ["好"]}', encoding="utf-8")
    save_file({"a": torch.arange(6.0).view(2, 3), "b": torch.ones(4)}, path / WEIGHTS)
    return path


def header(path: Path, content: bytes, length: int | None = None) -> Path:
    """A weights file with that header, whose length is told wrongly where ``length`` is given."""
    told = len(content) if length is None else length
    (path / WEIGHTS).write_bytes(told.to_bytes(8, "little") + content)
    return path / WEIGHTS


def test_a_sound_folder_is_read_whole(folder: Path) -> None:
    found = read_folder(folder)
    assert found.path == folder
    assert found.config == {"model_type": "bert", "标签": ["好"]}
    assert set(found.tensors) == {"a", "b"}
    torch.testing.assert_close(found.tensors["a"], torch.arange(6.0).view(2, 3))


def test_the_revision_follows_both_files_and_nothing_else(folder: Path) -> None:
    first = read_folder(folder).revision
    assert len(first) == 12
    (folder / "README.md").write_text("not read")
    (folder / "evil.bin").write_bytes(pickle.dumps({}))
    assert read_folder(folder).revision == first
    (folder / CONFIG).write_text('{"model_type": "roberta"}')
    second = read_folder(folder).revision
    save_file({"a": torch.zeros(2, 3)}, folder / WEIGHTS)
    assert len({first, second, read_folder(folder).revision}) == 3


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"gone has no config\.json; it is not a model folder"):
        read_folder(tmp_path / "gone")
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")
    for read in (read_folder, lambda path: weights_header(path / WEIGHTS)):
        with pytest.raises(ModelRefused, match=r"no model\.safetensors; .* never as pickles"):
            read(folder)


def test_a_pickle_by_the_right_name_is_not_loaded(folder: Path) -> None:
    torch.save({"a": torch.ones(2)}, folder / WEIGHTS)
    for read in (read_folder, lambda path: weights_header(path / WEIGHTS)):
        with pytest.raises(ModelRefused, match="cannot be read as safetensors"):
            read(folder)


@pytest.mark.parametrize("kept", [0, 4, 8, 20, 60])
def test_a_download_that_broke_off_is_refused(folder: Path, kept: int) -> None:
    weights = folder / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(ModelRefused, match="cannot be read as safetensors"):
        read_folder(folder)
    with pytest.raises(ModelRefused, match="cannot be read as safetensors"):
        weights_header(weights)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (b"", "is not valid JSON"),
        (b"{", "is not valid JSON"),
        (b"\xff\xfe{}", "is not valid JSON"),
        (b"[]", "must hold a JSON object"),
        (b"null", "must hold a JSON object"),
        (b'"bert"', "must hold a JSON object"),
        (b'{"auto_map": null}', "code of its own"),
        (b'{"auto_map": {}}', "code of its own"),
        (b"[" * 100_000, "is not valid JSON"),
    ],
)
def test_a_config_that_is_none_is_refused(folder: Path, config: bytes, says: str) -> None:
    (folder / CONFIG).write_bytes(config)
    with pytest.raises(ModelRefused, match=says):
        read_config(folder)
    with pytest.raises(ModelRefused, match=says):
        read_folder(folder)


def test_a_header_tells_shapes_without_the_weights(folder: Path) -> None:
    found = weights_header(folder / WEIGHTS)
    assert found.shapes == {"a": (2, 3), "b": (4,)}
    assert found.elements == 10
    assert json.loads(found.raw)["a"]["dtype"] == "F32"
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[: 8 + len(found.raw)])
    assert weights_header(folder / WEIGHTS) == found


def test_notes_in_a_header_are_no_tensor(folder: Path) -> None:
    save_file({"a": torch.ones(1)}, folder / WEIGHTS, {"format": "pt"})
    assert weights_header(folder / WEIGHTS).shapes == {"a": (1,)}


def test_a_scalar_is_one_number_and_no_tensors_are_none(folder: Path) -> None:
    save_file({"scale": torch.tensor(2.0), "none": torch.ones(0, 5)}, folder / WEIGHTS)
    assert weights_header(folder / WEIGHTS).elements == 1
    assert weights_header(header(folder, b"{}")).elements == 0


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"7", b'{"a": 7}', b'{"a": {}}', b'{"a": {"shape": 3}}', b"\xff", b"[" * 100_000],
)
def test_a_header_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    with pytest.raises(ModelRefused, match="cannot be read as safetensors"):
        weights_header(header(folder, content))


@pytest.mark.parametrize("length", [100_000_001, 2**63, 2**64 - 1])
def test_a_header_that_claims_to_be_endless_is_not_read(folder: Path, length: int) -> None:
    with pytest.raises(ModelRefused, match="cannot be read as safetensors"):
        weights_header(header(folder, b"{}", length))
