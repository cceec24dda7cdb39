"""On a CPU nothing is copied and nothing pinned: the device is the host."""

from __future__ import annotations

import numpy as np
import torch

from workers.engines.transfer import host_tensor, on_device

CPU = torch.device("cpu")


def test_a_host_tensor_is_the_arrays_own_memory() -> None:
    array = np.arange(4, dtype=np.int64)
    tensor = host_tensor(array, CPU)
    array[0] = 7
    assert tensor.tolist() == [7, 1, 2, 3]
    assert tensor.dtype == torch.int64
    assert not tensor.is_pinned()


def test_an_empty_array_is_an_empty_tensor() -> None:
    assert host_tensor(np.zeros((0, 3), dtype=np.float32), CPU).shape == (0, 3)


def test_what_is_there_already_stays() -> None:
    tensor = torch.ones(3)
    assert on_device(tensor, CPU) is tensor
