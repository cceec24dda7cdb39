"""These tests need a CUDA device: `make gpu` runs them, everything else leaves them out."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def cuda() -> torch.device:
    """The first CUDA device; without one the run ends, because nothing was checked."""
    if not torch.cuda.is_available():
        pytest.exit(
            "no CUDA device: `make gpu` needs an NVIDIA GPU and a torch build with CUDA "
            f"(this is torch {torch.__version__})",
            returncode=1,
        )
    return torch.device("cuda", 0)
