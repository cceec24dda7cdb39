"""Tiny decoder models, loaded once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.support.models import one_thread, save_decoder
from workers.generation.limits import GenerationLimits
from workers.generation.model import DecoderModel, load_decoder

LIMITS = GenerationLimits(most_running=4, most_waiting=8, cache_tokens=1024, read_tokens=64)
CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama."""
    return save_decoder(tmp_path_factory.mktemp("llama"))


@pytest.fixture
def llama(llama_folder: Path) -> DecoderModel:
    """The Llama with a cache of its own."""
    return load_decoder("tiny", llama_folder, CPU, torch.float32, LIMITS)
