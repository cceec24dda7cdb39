"""Telling a device that is short of memory from one whose context is broken."""

from __future__ import annotations

import sys

from workers.errors import ModelError


class DeviceFault(ModelError):
    """The accelerator's context is broken; only a new process gets a new one."""

    code = "device_fault"


_FAULTS = (
    "device-side assert",
    "an illegal memory access",
    "illegal instruction",
    "misaligned address",
    "unspecified launch failure",
    "CUDNN_STATUS_EXECUTION_FAILED",
    "uncorrectable ECC error",
)


def is_out_of_memory(error: Exception) -> bool:
    """Whether less at a time may work.

    >>> import torch
    >>> is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    True
    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    True
    >>> is_out_of_memory(ValueError("shape"))
    False
    """
    torch = sys.modules.get("torch")  # where nobody has imported it, nobody raises its errors
    if isinstance(error, MemoryError) or (
        torch is not None and isinstance(error, torch.OutOfMemoryError)
    ):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def is_device_fault(error: Exception) -> bool:
    """Whether the context is lost and every later call on it would fail (pytorch#2300).

    >>> is_device_fault(RuntimeError("CUDA error: device-side assert triggered"))
    True
    >>> import torch
    >>> is_device_fault(torch.OutOfMemoryError("CUDA out of memory"))
    False
    """
    if not isinstance(error, RuntimeError) or is_out_of_memory(error):
        return False
    return any(fault in str(error) for fault in _FAULTS)
