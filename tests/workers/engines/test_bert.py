"""What a BERT takes from its checkpoint; what it computes is compared in ``test_trunk``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.support.encoders import LAYERS, WIDTH, write_encoder
from tests.support.models import one_thread
from workers.engines import bert
from workers.engines.bert import Bert, is_bert
from workers.engines.packed import pack
from workers.errors import ModelRefused

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder") / "made")


@pytest.fixture
def config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return found


@pytest.fixture
def tensors(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
    return found


def test_all_it_reads_it_keeps_and_all_there_is_it_reads(
    config: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> None:
    asked: list[str] = []

    def read(name: str) -> torch.Tensor:
        asked.append(name)
        return tensors[name]

    model = Bert(config, read)
    assert sorted(asked) == sorted(set(asked)) == sorted(tensors)
    assert len(list(model.tensors())) == 4 + 16 * LAYERS
    assert (model.width, model.vocabulary) == (
        WIDTH,
        len(tensors["embeddings.word_embeddings.weight"]),
    )
    assert model.most_tokens == config["max_position_embeddings"]


def test_roberta_gives_up_the_positions_of_padding(
    config: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> None:
    plain = Bert(config, tensors.__getitem__)
    shifted = Bert({**config, "model_type": "roberta", "pad_token_id": 1}, tensors.__getitem__)
    assert shifted.most_tokens == plain.most_tokens - 2


@pytest.mark.parametrize(
    "name",
    [
        "hidden_size",
        "num_attention_heads",
        "num_hidden_layers",
        "layer_norm_eps",
        "hidden_act",
        "model_type",
    ],
)
@pytest.mark.parametrize("spoil", [lambda c, n: c.pop(n), lambda c, n: c.update({n: None})])
def test_a_config_that_lacks_a_value_is_refused(
    config: dict[str, Any],
    tensors: dict[str, torch.Tensor],
    name: str,
    spoil: Callable[[dict[str, Any], str], object],
) -> None:
    spoil(config, name)
    with pytest.raises(ModelRefused, match=r"config\.json is incomplete"):
        Bert(config, tensors.__getitem__)


@pytest.mark.parametrize("changes", [{"num_attention_heads": 5}, {"hidden_size": 64}])
def test_shapes_that_contradict_the_config_are_refused(
    config: dict[str, Any], tensors: dict[str, torch.Tensor], changes: dict[str, int]
) -> None:
    with pytest.raises(ModelRefused, match="its embeddings are 32 wide"):
        Bert({**config, **changes}, tensors.__getitem__)


def test_what_goes_through_together_does_not_matter(
    config: dict[str, Any], tensors: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Bert(config, tensors.__getitem__)
    generator = np.random.default_rng(3)
    batch = pack([generator.integers(4, 50, n).astype(np.int32) for n in (9, 1, 23)], CPU)
    with one_thread(), torch.inference_mode():
        whole = model(batch)
        for rows in (1, 5, 33):
            monkeypatch.setattr(bert, "_ROWS_AT_ONCE", rows)
            torch.testing.assert_close(model(batch), whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta"])
@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "gelu_pytorch_tanh"])
def test_what_it_computes_it_says_so(kind: str, activation: str) -> None:
    assert is_bert({"model_type": kind, "hidden_act": activation})
    assert is_bert(
        {"model_type": kind, "hidden_act": activation, "position_embedding_type": "absolute"}
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"model_type": "distilbert"},
        {"model_type": None},
        {"hidden_act": "relu"},
        {"hidden_act": None},
        {"position_embedding_type": "relative_key"},
        {"is_decoder": True},
    ],
)
def test_what_it_does_not_compute_is_left_to_others(changes: dict[str, Any]) -> None:
    assert not is_bert({"model_type": "bert", "hidden_act": "gelu", **changes})
    assert not is_bert({})
