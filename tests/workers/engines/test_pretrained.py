"""Folders in Hugging Face's layout: what is incomplete or unsafe is refused, with the reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from tests.support.models import load_decoder_network, save_decoder
from workers.engines.pretrained import (
    content_revision,
    load_pretrained,
    load_tokenizer,
    weight_files,
)
from workers.errors import ModelRefused


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_decoder(tmp_path_factory.mktemp("made"))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "model"))


def load(folder: Path) -> torch.nn.Module:
    network: torch.nn.Module = load_pretrained(
        AutoModelForCausalLM, folder, torch.device("cpu"), torch.float32
    )
    return network


def change(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}), encoding="utf-8")


def test_weights_are_those_of_the_folder(folder: Path) -> None:
    found = load(folder).state_dict()
    for name, tensor in load_decoder_network(folder).state_dict().items():
        torch.testing.assert_close(found[name], tensor)


def test_shards_are_read(folder: Path) -> None:
    whole = content_revision(folder)
    load_decoder_network(folder).save_pretrained(folder, max_shard_size="60KB")
    (folder / "model.safetensors").unlink()
    assert len(weight_files(folder)) > 1
    load(folder)
    assert content_revision(folder) != whole
    weight_files(folder)[-1].unlink()
    with pytest.raises(ModelRefused, match="is missing; copy all shards"):
        load(folder)


def test_an_index_cannot_lead_out_of_the_folder(folder: Path) -> None:
    shutil.move(folder / "model.safetensors", folder.parent / "outside.safetensors")
    index = {"weight_map": {"lm_head.weight": "../outside.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelRefused, match="no file of its folder"):
        load(folder)


def test_pickles_are_never_read(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ModelRefused, match="never as pickles"):
        load(folder)
    torch.save({}, folder / "model.safetensors")
    with pytest.raises(ModelRefused, match="cannot be read as safetensors"):
        load(folder)


def test_code_of_the_folder_is_refused(folder: Path) -> None:
    change(folder, auto_map={"AutoModelForCausalLM": "theirs.Model"})
    with pytest.raises(ModelRefused, match="auto_map"):
        load(folder)


def test_missing_tensors_are_not_made_up(folder: Path) -> None:
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, weights, {"format": "pt"})
    with pytest.raises(ModelRefused, match=r"1 tensors .*layers\.1\.mlp\.up_proj"):
        load(folder)


def test_tensors_of_another_shape_are_refused(folder: Path) -> None:
    change(folder, intermediate_size=80)
    with pytest.raises(ModelRefused, match=r"another\s+shape|cannot be loaded"):
        load(folder)


def test_an_unknown_architecture_is_refused(folder: Path) -> None:
    change(folder, model_type="of-my-own")
    with pytest.raises(ModelRefused, match="cannot be loaded by transformers"):
        load(folder)


def test_the_revision_follows_all_that_is_read(folder: Path) -> None:
    seen = {content_revision(folder)}
    for name in ("config.json", "tokenizer.json", "generation_config.json"):
        (folder / name).write_text((folder / name).read_text() + "\n")
        seen.add(content_revision(folder))
    (folder / "README.md").write_text("not read")
    seen.add(content_revision(folder))
    assert len(seen) == 4


def test_tokenizers_are_checked(folder: Path) -> None:
    assert load_tokenizer(folder).encode("谢谢").ids
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelRefused, match="cannot be read as a tokenizer"):
        load_tokenizer(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelRefused, match=r"has no tokenizer\.json"):
        load_tokenizer(folder)
