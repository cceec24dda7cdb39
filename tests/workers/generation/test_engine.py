"""The engine and the generation task: options to request, generator, raw result to output."""

from __future__ import annotations

import queue
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.registry import AnyTask, get_task
from lepton_tasks.settings import load_settings
from tests.support.models import save_decoder
from tests.support.plugins import GENERATION, installed
from workers.catalogue.entries import choose, load_catalogue
from workers.errors import CatalogueError, ModelError
from workers.generation.engine import build_decoder
from workers.generation.requests import Generation


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A catalogue whose default is a random model."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(GENERATION, folder, dirs_exist_ok=True)
    save_decoder(folder / "model", "qwen2")
    with installed(folder):
        yield folder


@pytest.fixture(scope="module")
def task() -> AnyTask:
    return get_task("generation")


def encode(task: AnyTask, text: str = "今天", **options: Any) -> ModelInput:
    return task.encode(text, task.options_model.model_validate(options))


def test_examples_run_from_text_to_output(task: AnyTask) -> None:
    entry = choose(load_catalogue(load_settings()), "generation", None)
    engine = build_decoder(entry, torch.device("cpu"))
    generator = engine.generator()
    generator.start()
    done: queue.Queue[Generation | Exception] = queue.Queue()
    for example in task.examples:
        options = task.options_model.model_validate(dict(example.options))
        model_input = task.encode(example.input, options)
        (encoded,) = engine.tokenize([model_input])
        generator.submit(encoded.tokens.request("a", rank=1, tenant="t"), done.put)
        outcome = done.get(timeout=60)
        assert isinstance(outcome, Generation)
        raw: Mapping[str, Any] = outcome.raw()
        output = task.decode(raw, model_input, options)
        assert output.finish_reason == "length"
        assert output.usage.prompt_tokens == encoded.length
        assert output.usage.completion_tokens == options.max_tokens
        assert output.seed == options.seed
        assert task.output_model.model_validate_json(output.model_dump_json()) == output
    generator.stop()


def test_a_model_has_one_generator_at_a_time(task: AnyTask) -> None:
    entry = choose(load_catalogue(load_settings()), "generation", None)
    engine = build_decoder(entry, torch.device("cpu"))
    encoded = engine.tokenize([encode(task, max_tokens=2)])
    generator = engine.generator()
    with pytest.raises(ModelError, match="writing already"):
        engine.forward(encoded)
    generator.start()
    generator.stop()
    assert engine.forward(encoded) == engine.forward(encoded)


def test_wrong_limits_of_a_model_are_named() -> None:
    entry = choose(load_catalogue(load_settings()), "generation", None)
    wrong = entry.model_copy(update={"options": {"cache_tokens": 3}})
    with pytest.raises(CatalogueError, match=r"\[tiny-generation\] options\.cache_tokens"):
        build_decoder(wrong, torch.device("cpu"))
