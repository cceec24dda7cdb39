from __future__ import annotations

import pytest

from lepton_tasks.errors import ConfigError
from lepton_tasks.supervisor.slots import device_slots


def test_each_gpu_is_the_only_one_its_processes_see() -> None:
    slots = device_slots("cuda:0, cuda:3", 2, None)
    assert [slot.device for slot in slots] == ["cuda:0", "cuda:0", "cuda:3", "cuda:3"]
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots] == ["0", "0", "3", "3"]
    assert {slot.environment["LEPTON_DEVICE"] for slot in slots} == {"cuda:0"}


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_devices_without_a_number_pass_through(device: str) -> None:
    [slot] = device_slots(device, 1, "5")
    assert slot.environment == {"LEPTON_DEVICE": device}


def test_numbers_count_within_what_is_visible() -> None:
    slots = device_slots("cuda:0,cuda:1", 1, "GPU-1f, GPU-9c")
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots] == ["GPU-1f", "GPU-9c"]


@pytest.mark.parametrize("visible", ["", "2"])
def test_a_gpu_that_is_not_visible_is_named(visible: str) -> None:
    with pytest.raises(ConfigError, match=r"cuda:1 is not visible here.*--devices"):
        device_slots("cuda:1", 1, visible)


def test_no_device_at_all() -> None:
    with pytest.raises(ConfigError, match="--devices names no device"):
        device_slots(" ,", 1, None)


@pytest.mark.parametrize(
    ("devices", "per_device", "cores", "threads"),
    [
        ("cpu", 2, 8, "4"),
        ("auto", 3, 8, "2"),
        ("cpu", 4, 2, "1"),
        ("cpu", 1, 8, None),
        ("cpu", 2, 0, None),
    ],
)
def test_processes_on_a_cpu_share_its_cores(
    devices: str, per_device: int, cores: int, threads: str | None
) -> None:
    slots = device_slots(devices, per_device, None, cores)
    assert [slot.environment.get("LEPTON_THREADS") for slot in slots] == [threads] * per_device


def test_processes_on_gpus_take_the_threads_they_like() -> None:
    slots = device_slots("cuda:0,cuda:1", 2, None, cores=8)
    assert all("LEPTON_THREADS" not in slot.environment for slot in slots)
