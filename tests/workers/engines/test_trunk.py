"""Our encoders against those of ``transformers``, on small random models of each kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from workers.engines.bert import Bert
from workers.engines.packed import TokenIds, pack
from workers.engines.trunk import States, load_trunk
from workers.errors import ModelRefused

CPU = torch.device("cpu")
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 90,
    "max_position_embeddings": 80,
}
MODELS: dict[str, Callable[[], Any]] = {
    "bert": lambda: BertModel(BertConfig(**SMALL)),
    "bert-tanh": lambda: BertModel(BertConfig(**SMALL, hidden_act="gelu_new")),
    "bert-with-a-head": lambda: BertForMaskedLM(BertConfig(**SMALL)),
    "roberta": lambda: RobertaModel(RobertaConfig(**SMALL, type_vocab_size=1, pad_token_id=1)),
    "xlm-roberta-with-a-head": lambda: XLMRobertaForSequenceClassification(
        XLMRobertaConfig(**SMALL, type_vocab_size=1, pad_token_id=1)
    ),
    "bert-relu": lambda: BertModel(BertConfig(**SMALL, hidden_act="relu")),
    "distilbert": lambda: DistilBertModel(
        DistilBertConfig(
            dim=32, n_layers=2, n_heads=4, hidden_dim=48, vocab_size=90, max_position_embeddings=80
        )
    ),
}
NATIVE = {name for name in MODELS if name not in ("bert-relu", "distilbert")}


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Folder of a random model whose every weight matters."""
    torch.manual_seed(5)
    model = MODELS[request.param]()
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    model.save_pretrained(tmp_path)
    return tmp_path


def texts(*lengths: int) -> list[TokenIds]:
    generator = np.random.default_rng(7)
    return [generator.integers(5, 90, length).astype(np.int32) for length in lengths]


@pytest.mark.parametrize("folder", MODELS, indirect=True)
@pytest.mark.parametrize("lengths", [(3, 70, 12, 1), (6, 6, 6)], ids=["mixed", "even"])
def test_hidden_states_are_those_of_transformers(
    folder: Path, lengths: tuple[int, ...], request: pytest.FixtureRequest
) -> None:
    trunk = load_trunk(folder, CPU, torch.float32)
    assert isinstance(trunk.architecture, Bert) == (
        request.node.callspec.params["folder"] in NATIVE
    )
    batch = texts(*lengths)
    found = trunk(pack(batch, CPU))
    theirs = AutoModel.from_pretrained(folder).eval()
    for text, start, vector in zip(batch, found.starts.tolist(), found.vectors, strict=True):
        with torch.inference_mode():
            wanted = theirs(torch.from_numpy(text).long()[None]).last_hidden_state[0]
        torch.testing.assert_close(
            found.hidden[start : start + len(text)], wanted, atol=1e-5, rtol=1e-5
        )
        mean = torch.nn.functional.normalize(wanted.mean(dim=0), dim=0)
        torch.testing.assert_close(vector, mean, atol=1e-5, rtol=0)


@pytest.mark.parametrize("folder", ["bert"], indirect=True)
def test_more_tokens_than_go_through_at_once(folder: Path) -> None:
    trunk = load_trunk(folder, CPU, torch.float32)
    batch = texts(*(40 + row % 40 for row in range(30)))
    together = trunk(pack(batch, CPU)).vectors
    for text, vector in zip(batch, together, strict=True):
        torch.testing.assert_close(trunk(pack([text], CPU)).vectors[0], vector, atol=1e-5, rtol=0)


@pytest.mark.parametrize("folder", ["bert"], indirect=True)
def test_half_precision_is_pooled_in_float32(folder: Path) -> None:
    half = load_trunk(folder, CPU, torch.bfloat16)
    assert {tensor.dtype for tensor in half.architecture.tensors()} == {torch.bfloat16}
    found = half(pack(texts(9, 30), CPU))
    assert (found.hidden.dtype, found.vectors.dtype) == (torch.bfloat16, torch.float32)
    exact = load_trunk(folder, CPU, torch.float32)(pack(texts(9, 30), CPU)).vectors
    assert (found.vectors * exact).sum(dim=1).min() > 0.99


@pytest.mark.parametrize("folder", ["roberta"], indirect=True)
def test_positions_that_padding_takes_are_not_offered(folder: Path) -> None:
    assert load_trunk(folder, CPU, torch.float32).architecture.most_tokens == 78


@pytest.mark.parametrize("folder", ["bert"], indirect=True)
def test_what_does_not_fit_is_refused(folder: Path) -> None:
    config = folder / "config.json"
    plain = json.loads(config.read_text())
    for change, says in (
        ({"num_hidden_layers": 3}, r"does not fit its config\.json.*layer\.2"),
        ({"num_attention_heads": 5}, "32 wide and 5 heads"),
        ({"hidden_size": None}, r"config\.json is incomplete"),
    ):
        config.write_text(json.dumps({**plain, **change}))
        with pytest.raises(ModelRefused, match=says):
            load_trunk(folder, CPU, torch.float32)


@pytest.mark.parametrize("folder", ["bert"], indirect=True)
def test_the_revision_follows_shape_not_place(folder: Path, tmp_path: Path) -> None:
    first = load_trunk(folder, CPU, torch.float32).revision
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    weights.unlink()
    save_file({name: 2 * tensor for name, tensor in tensors.items()}, weights, {"format": "pt"})
    assert load_trunk(folder, CPU, torch.float32).revision == first
    config = folder / "config.json"
    config.write_text(config.read_text().replace("1e-12", "1e-11"))
    assert load_trunk(folder, CPU, torch.float32).revision != first


def test_pooling_does_not_mix_texts() -> None:
    hidden = torch.arange(12, dtype=torch.float32).view(4, 3) + 1
    vectors = States(hidden, torch.tensor([0, 1])).vectors
    torch.testing.assert_close(vectors[0], hidden[0] / hidden[0].norm())
    mean = hidden[1:].mean(dim=0)
    torch.testing.assert_close(vectors[1], mean / mean.norm())
