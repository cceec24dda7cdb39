"""From numpy to the device: pinned memory and copies that nobody waits for."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch


def host_tensor(array: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    """``array`` as a tensor in host memory, pinned where ``device`` can then copy by itself."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory() if device.type == "cuda" else tensor


def on_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """``tensor`` on ``device``; work queued there sees the copy, the caller does not wait."""
    return tensor.to(device, non_blocking=True)
