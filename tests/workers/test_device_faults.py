"""An error of the device is one of three kinds, and no message makes it two of them."""

from __future__ import annotations

import pytest
import torch

from workers.device_faults import DeviceFault, is_device_fault, is_out_of_memory

FATAL = [
    "CUDA error: device-side assert triggered\nCompile with `TORCH_USE_CUDA_DSA`",
    "CUDA error: an illegal memory access was encountered",
    "CUDA error: an illegal instruction was encountered",
    "CUDA error: misaligned address",
    "CUDA error: unspecified launch failure",
    "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    "CUDA error: uncorrectable ECC error encountered",
]
SHORT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 8 bytes"),
    MemoryError(),
]


@pytest.mark.parametrize("message", FATAL)
def test_a_broken_context_is_a_fault(message: str) -> None:
    error = RuntimeError(message)
    assert is_device_fault(error)
    assert not is_out_of_memory(error)


@pytest.mark.parametrize("error", SHORT)
def test_short_memory_is_survived(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_device_fault(error)


def test_short_memory_is_survived_whatever_else_its_message_says() -> None:
    error = torch.OutOfMemoryError("CUDA out of memory after device-side assert")
    assert is_out_of_memory(error) and not is_device_fault(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"),
        RuntimeError(""),
        IndexError("index out of range in self"),
        ValueError("device-side assert triggered"),
        ValueError("can't allocate memory"),
        KeyError("设备"),
    ],
)
def test_an_error_of_one_input_is_neither(error: Exception) -> None:
    assert not is_out_of_memory(error) and not is_device_fault(error)


def test_a_real_allocation_that_cannot_be_is_short_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_a_fault_has_a_code_of_its_own() -> None:
    assert DeviceFault.code == "device_fault"
    assert not is_device_fault(DeviceFault("an illegal memory access"))
