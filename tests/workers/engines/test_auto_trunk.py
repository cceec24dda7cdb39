"""The way through transformers gives the hidden states that our own encoder gives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertModel

from tests.support.models import one_thread
from workers.engines.auto_trunk import AutoTrunk
from workers.engines.bert import Bert
from workers.engines.packed import pack
from workers.errors import ModelRefused

CPU = torch.device("cpu")
WIDTH = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT as transformers saves it."""
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(5)
    BertModel(
        BertConfig(
            hidden_size=WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=48,
            vocab_size=50,
            max_position_embeddings=64,
        )
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def trunk(folder: Path) -> AutoTrunk:
    return AutoTrunk(folder, CPU, torch.float32)


@pytest.mark.parametrize("lengths", [(5, 5, 5), (1,), (3, 40, 1, 12)], ids=str)
def test_hidden_states_are_those_of_our_own_encoder(
    folder: Path, trunk: AutoTrunk, lengths: tuple[int, ...]
) -> None:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    own = Bert(config, load_file(folder / "model.safetensors").__getitem__)
    generator = np.random.default_rng(3)
    batch = pack([generator.integers(4, 50, n).astype(np.int32) for n in lengths], CPU)
    with one_thread(), torch.inference_mode():
        found, wanted = trunk(batch), own(batch)
    assert found.shape == (sum(lengths), WIDTH)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_it_says_what_it_takes(folder: Path, trunk: AutoTrunk) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert (trunk.width, trunk.vocabulary) == (config["hidden_size"], config["vocab_size"])
    assert trunk.most_tokens == config["max_position_embeddings"]


def test_all_weights_are_told_and_in_the_wanted_type(folder: Path, trunk: AutoTrunk) -> None:
    stored = load_file(folder / "model.safetensors")
    told = sum(tensor.numel() for tensor in trunk.tensors())
    assert told >= sum(tensor.numel() for tensor in stored.values())
    half = AutoTrunk(folder, CPU, torch.bfloat16)
    kinds = {tensor.dtype for tensor in half.tensors() if tensor.is_floating_point()}
    assert kinds == {torch.bfloat16}


def test_a_folder_that_wants_to_run_code_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "x.Y"}}))
    with pytest.raises(ModelRefused, match="auto_map"):
        AutoTrunk(copy, CPU, torch.float32)
