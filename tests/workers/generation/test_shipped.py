"""The shipped decoder: exactly as transformers generates, alone and among others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from lepton_tasks.nlp.generation import Generation, GenerationOptions, GenerationOutput
from workers.catalogue.entries import DEFAULT_CATALOGUE, choose, read_catalogue
from workers.generation.engine import DecoderEngine, build_decoder
from workers.generation.requests import ContextExceeded

PROMPTS = (
    "今天",
    "今天天氣",
    "Tom said",
    "I",
    "ＦＵＬＬ　ｗｉｄｔｈ",
    "我的 app 打不开了 🙂",
    "你好，请帮我找一家餐馆。\n",
    "ไทย",
)
TASK = Generation()


@pytest.fixture(scope="module")
def folder() -> Path:
    return choose(read_catalogue(DEFAULT_CATALOGUE), "generation", None).model_folder


@pytest.fixture(scope="module")
def engine() -> Iterator[DecoderEngine]:
    entry = choose(read_catalogue(DEFAULT_CATALOGUE), "generation", None)
    yield build_decoder(entry, torch.device("cpu"))


def write(engine: DecoderEngine, *prompts: str, **given: Any) -> list[GenerationOutput]:
    options = GenerationOptions.model_validate(given)
    inputs = [TASK.encode(one, options) for one in prompts]
    raws = engine.forward(engine.tokenize(inputs))
    return [TASK.decode(raw, one, options) for raw, one in zip(raws, inputs, strict=True)]


def test_greedy_is_what_transformers_generates_alone_and_in_a_batch(
    engine: DecoderEngine, folder: Path
) -> None:
    together = write(engine, *PROMPTS, max_tokens=24)
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for prompt, found in zip(PROMPTS, together, strict=True):
        ids = torch.tensor([tokenizer.encode(prompt).ids])
        whole = network.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False
        )
        wanted = whole[0, ids.shape[1] :].tolist()
        assert found.text == tokenizer.decode(wanted)
        assert found.usage.completion_tokens == len(wanted)
        assert found.usage.prompt_tokens == ids.shape[1]
        assert found.finish_reason == ("stop" if wanted[-1] == 2 else "length")
        assert write(engine, prompt, max_tokens=24) == [found]


def test_a_seed_draws_the_same_text_whoever_is_beside_it(engine: DecoderEngine) -> None:
    drawn = {"max_tokens": 12, "temperature": 1.0, "top_p": 0.9}
    alone = write(engine, "今天", seed=5, **drawn)
    assert write(engine, "今天", "Tom said", seed=5, **drawn)[0] == alone[0]
    others = {write(engine, "今天", **drawn)[0].text for _ in range(4)}
    assert len(others) > 1


def test_a_stop_string_ends_the_text_before_it(engine: DecoderEngine) -> None:
    (whole,) = write(engine, "今天", max_tokens=24)
    first, second = next(pairwise(whole.text))
    (ended,) = write(engine, "今天", max_tokens=24, stop=[first + second])
    assert (ended.text, ended.finish_reason) == ("", "stop")


def test_a_prompt_beyond_the_context_is_refused_not_cut(engine: DecoderEngine) -> None:
    with pytest.raises(ContextExceeded, match=r"takes 512 together\. Shorten the prompt"):
        write(engine, "今天" * 300, max_tokens=8)
