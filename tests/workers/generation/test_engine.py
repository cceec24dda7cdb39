"""A generation task from outside: options to request, generator, raw result to output."""

from __future__ import annotations

import queue
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.registry import AnyTask, find_tasks
from lepton_tasks.settings import load_settings
from tests.support.models import save_decoder
from tests.support.plugins import GENERATION, installed
from workers.catalogue.entries import choose, load_catalogue
from workers.errors import CatalogueError, ModelError
from workers.generation.engine import build_decoder
from workers.generation.requests import Generation


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The plugin, installed, with a model in its folder."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(GENERATION, folder, dirs_exist_ok=True)
    save_decoder(folder / "model", "qwen2")
    with installed(folder):
        yield folder


@pytest.fixture(scope="module")
def task(plugin: Path) -> AnyTask:
    return find_tasks()["generation"]


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
        assert output.usage.completion_tokens == 8
        assert task.output_model.model_validate_json(output.model_dump_json()) == output
    generator.stop()


def test_a_model_has_one_generator_at_a_time(task: AnyTask) -> None:
    entry = choose(load_catalogue(load_settings()), "generation", None)
    engine = build_decoder(entry, torch.device("cpu"))
    encoded = engine.tokenize([encode(task, max_new_tokens=2)])
    generator = engine.generator()
    with pytest.raises(ModelError, match="writing already"):
        engine.forward(encoded)
    generator.start()
    generator.stop()
    assert engine.forward(encoded) == engine.forward(encoded)


def test_equal_work_is_equal_and_drawn_texts_are_not(task: AnyTask) -> None:
    assert encode(task) == encode(task)
    assert encode(task, temperature=1.0, seed=4) == encode(task, temperature=1.0, seed=4)
    assert encode(task, temperature=1.0) != encode(task, temperature=1.0)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"temperature": 2.5}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"stop": [""]}, "stop"),
        ({"stop": ["。"] * 5}, "stop"),
        ({"beams": 2}, "beams"),
    ],
)
def test_wrong_options_are_named(task: AnyTask, options: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        encode(task, **options)


def test_wrong_limits_of_a_model_are_named(plugin: Path) -> None:
    entry = choose(load_catalogue(load_settings()), "generation", None)
    wrong = entry.model_copy(update={"options": {"cache_tokens": 3}})
    with pytest.raises(CatalogueError, match=r"\[tiny-generation\] options\.cache_tokens"):
        build_decoder(wrong, torch.device("cpu"))
