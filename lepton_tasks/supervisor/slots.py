"""Device slots: which device each worker process sees. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lepton_tasks.errors import ConfigError

_NUMBERED = re.compile(r"cuda:(\d+)")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one worker process: its device's name and what its environment adds."""

    device: str
    environment: Mapping[str, str]


def device_slots(devices: str, per_device: int, visible: str | None, cores: int = 0) -> list[Slot]:
    """Return ``per_device`` slots for each of ``devices``, comma-separated torch names.

    A process on ``cuda:N`` sees that GPU alone, as its ``cuda:0``, so that nothing it
    loads can land on another. ``visible`` is this process's own CUDA_VISIBLE_DEVICES:
    ``cuda:N`` is the N-th of those, as it is for torch. Other devices pass through. Several
    processes on a CPU share its ``cores``: each gets as many threads, 0 for as it likes.

    Raises:
        ConfigError: no device is named, or one that is not visible here.

    >>> [(slot.device, slot.environment) for slot in device_slots("cpu", 2, None)]
    [('cpu', {'LEPTON_DEVICE': 'cpu'}), ('cpu', {'LEPTON_DEVICE': 'cpu'})]
    >>> device_slots("cpu", 2, None, cores=8)[1].environment
    {'LEPTON_DEVICE': 'cpu', 'LEPTON_THREADS': '4'}
    >>> device_slots("cuda:1", 1, "4,7")[0].environment
    {'LEPTON_DEVICE': 'cuda:0', 'CUDA_VISIBLE_DEVICES': '7'}
    """
    names = [name.strip() for name in devices.split(",") if name.strip()]
    if not names:
        raise ConfigError("--devices names no device; give cpu, cuda or cuda:0,cuda:1")
    processes = per_device * len(names)
    share = {"LEPTON_THREADS": str(max(1, cores // processes))} if cores and processes > 1 else {}
    return [
        Slot(name, _environment(name, visible) | (share if name in ("cpu", "auto") else {}))
        for name in names
        for _ in range(per_device)
    ]


def _environment(device: str, visible: str | None) -> dict[str, str]:
    numbered = _NUMBERED.fullmatch(device)
    if numbered is None:
        return {"LEPTON_DEVICE": device}
    index = numbered[1]
    if visible is not None:
        seen = [entry.strip() for entry in visible.split(",") if entry.strip()]
        if int(index) >= len(seen):
            raise ConfigError(
                f"{device} is not visible here: CUDA_VISIBLE_DEVICES={visible!r} "
                f"shows {len(seen)}; choose another with --devices"
            )
        index = seen[int(index)]
    return {"LEPTON_DEVICE": "cuda:0", "CUDA_VISIBLE_DEVICES": index}
