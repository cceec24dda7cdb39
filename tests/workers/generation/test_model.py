"""What a decoder's folder says about ends and lengths, and tokens of prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lepton_tasks.nlp.base import ModelInput
from tests.support.models import END, START, save_decoder
from tests.workers.generation.conftest import CPU, LIMITS
from workers.errors import ModelRefused
from workers.generation.limits import GenerationLimits
from workers.generation.model import DecoderModel, load_decoder


def load(folder: Path, limits: GenerationLimits = LIMITS) -> DecoderModel:
    return load_decoder("tiny", folder, CPU, torch.float32, limits)


def test_prompts_are_tokenised_in_order(llama: DecoderModel) -> None:
    texts = ["谢谢您的耐心", "tea", "The parcel"]
    encoded = llama.tokenize([ModelInput(text, "und") for text in texts])
    assert [llama.tokenizer.decode(one.tokens) for one in encoded] == texts
    assert [one.length for one in encoded] == [len(one.tokens) for one in encoded]


@pytest.mark.parametrize(
    ("settings", "cache", "asked", "context"),
    [
        ({}, 1024, 0, 512),
        ({}, 1024, 100, 100),
        ({}, 200, 0, 192),
        ({"use_sliding_window": True, "sliding_window": 64, "max_window_layers": 1}, 1024, 0, 64),
    ],
)
def test_the_longest_text(
    tmp_path: Path, settings: dict[str, Any], cache: int, asked: int, context: int
) -> None:
    limits = GenerationLimits(cache_tokens=cache, context=asked)
    assert load(save_decoder(tmp_path, "qwen2", **settings), limits).context == context


def test_beyond_the_first_window_of_longrope_nothing_is_taken(tmp_path: Path) -> None:
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10_000.0,
        "short_factor": [1.0] * 6,
        "long_factor": [2.0] * 6,
        "original_max_position_embeddings": 128,
        "factor": 4.0,
    }
    assert load(save_decoder(tmp_path, "llama", rope_parameters=rope)).context == 128


@pytest.mark.parametrize(
    ("written", "ends"), [(END, {END}), ([END, 9], {END, 9}), (None, {END}), ("absent", {END})]
)
def test_tokens_that_end_a_text(tmp_path: Path, written: object, ends: set[int]) -> None:
    folder = save_decoder(tmp_path)
    file = folder / "generation_config.json"
    settings = json.loads(file.read_text())
    if written == "absent":
        file.unlink()
    else:
        file.write_text(json.dumps({**settings, "eos_token_id": written}))
    assert load(folder).ends == ends


def test_a_model_without_an_end_writes_to_its_length(tmp_path: Path) -> None:
    assert load(save_decoder(tmp_path, eos_token_id=None)).ends == frozenset()


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="do not belong together"):
        load(save_decoder(tmp_path, vocab_size=300, bos_token_id=START))
