"""Tiny decoder models, loaded once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.support.models import save_decoder
from workers.generation.limits import GenerationLimits
from workers.generation.model import DecoderModel, load_decoder

LIMITS = GenerationLimits(most_running=4, most_waiting=8, cache_tokens=1024, read_tokens=64)
CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """These models are so small that a second thread only waits for the first."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama."""
    return save_decoder(tmp_path_factory.mktemp("llama"))


@pytest.fixture
def llama(llama_folder: Path) -> DecoderModel:
    """The Llama with a cache of its own."""
    return load_decoder("tiny", llama_folder, CPU, torch.float32, LIMITS)
